"""Writes the DICOM files that the benchmark of ingest sends: CT objects of two sizes, each with UIDs of its own.

It must not send. Patients are synthetic.
"""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

#: Rows and columns of 16-bit pixels: 512 KB and 2 KB, the rest of 3 KB being header.
_SIDE = {"large": 512, "small": 32}


def write_objects(folder: Path, kind: str, count: int, name: str) -> Path:
    """Write one study of one series of `count` objects and give its folder; UIDs follow from `name` alone."""
    folder.mkdir(parents=True)
    one = _template(kind, name)
    for number in range(count):
        one.SOPInstanceUID = generate_uid(entropy_srcs=[name, str(number)])
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        one.InstanceNumber = number + 1
        one.save_as(folder / f"{number:05d}.dcm", enforce_file_format=True)
    return folder


def _template(kind: str, name: str) -> Dataset:
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID = CTImageStorage
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SpecificCharacterSet = "ISO_IR 192"
    one.StudyInstanceUID = generate_uid(entropy_srcs=[name, "study"])
    one.SeriesInstanceUID = generate_uid(entropy_srcs=[name, "series"])
    one.PatientID = f"B-{name}"
    one.PatientName = "Synthetic^Patient"
    one.PatientBirthDate = "19700101"
    one.AccessionNumber = generate_uid(entropy_srcs=[name]).split(".")[-1][:16]
    one.Modality = "CT"
    one.Manufacturer = "Invented Imaging"
    one.StudyDescription = "CT Head"
    one.InstitutionalDepartmentName = "Emergency Department"
    one.StudyDate = one.SeriesDate = one.AcquisitionDate = one.ContentDate = "20260601"
    one.StudyTime = one.SeriesTime = one.AcquisitionTime = one.ContentTime = "101500"
    one.ImagePositionPatient = ["-120.5", "-118.25", "64.75"]
    one.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    one.SliceThickness, one.KVP, one.PixelSpacing = "1.25", "120", ["0.488281", "0.488281"]
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.Rows = one.Columns = _SIDE[kind]
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 12, 11, 0
    one.RescaleIntercept, one.RescaleSlope = "-1024", "1"
    one.PixelData = bytes(_SIDE[kind] ** 2 * 2)
    return one
