from pathlib import Path

import pytest

from devices import hardware

ARM = "processor\t: 0\nBogoMIPS\t: 108.00\nCPU part\t: 0xd0b\n\nprocessor\t: 1\n"
X86 = "processor\t: 0\nmodel name\t: A Processor\ncpu MHz\t\t: 2000.5\nflags\t\t: fma hypervisor\n\n"


def _machine(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> None:
    for name in ("cpuinfo", "board", "clock"):
        if name in files:
            (folder / name).write_text(files[name])
        monkeypatch.setattr(hardware, f"_{name.upper()}", folder / name)


def test_the_processor_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(tmp_path, monkeypatch, cpuinfo=X86, board="Some board\0", clock="1500000\n")
    assert hardware.cpu_name() == f"A Processor ({hardware.all_cores()} cores)"
    assert hardware.clock_mhz() == 2000.5
    assert hardware.is_virtual()


def test_the_board_is_named_where_the_processor_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(tmp_path, monkeypatch, cpuinfo=ARM, board="Raspberry Pi 5 Model B Rev 1.0\0", clock="1500000\n")
    assert hardware.cpu_name() == f"Raspberry Pi 5 Model B Rev 1.0 ({hardware.all_cores()} cores)"
    assert hardware.clock_mhz() == 1500.0


@pytest.mark.parametrize(("program", "expected"), [("qemu-aarch64", "qemu-aarch64"), ("python3.11", ""), (None, "")])
def test_an_emulator_runs_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None, expected: str
) -> None:
    if program:
        (tmp_path / "exe").symlink_to(tmp_path / program)
    monkeypatch.setattr(hardware, "_THREAD", tmp_path / "exe")
    assert hardware.emulator() == expected


def test_a_system_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(tmp_path, monkeypatch)
    assert hardware.cpu_name().endswith("cores)")
    assert hardware.clock_mhz() is None
    assert not hardware.is_virtual()
