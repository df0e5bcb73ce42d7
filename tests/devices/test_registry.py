import pytest

from devices.registry import DEVICES, get_device
from foundation.errors import UserError


def test_every_name_gives_a_device_of_that_name() -> None:
    assert [get_device(name).name for name in DEVICES.names] == list(DEVICES.names)


def test_settings_of_the_simulated_device_are_part_of_its_name_and_fingerprint() -> None:
    first = get_device("simulated:seed=3,noise=0.05")
    assert first.name == "simulated:noise=0.05,seed=3"
    assert first.info().fingerprint == get_device(first.name).info().fingerprint
    assert first.info().fingerprint != get_device("simulated").info().fingerprint


@pytest.mark.parametrize(
    "name",
    [
        "gpu",
        "",
        "cpu:noise=1",
        "simulated:noise",
        "simulated:noise=x",
        "simulated:noise=-1",
        "simulated:drift=11",
        "simulated:colour=1",
        "simulated:seed=-1",
        "cpu:phone",
        "page:../phone",
        "page:phone,phone",
        "page:phone,threads=0",
        "android:-s",
        "android:R58N;reboot",
    ],
)
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"device.*got"):
        get_device(name)


@pytest.mark.parametrize("name", ["cpu", "mnn", "ncnn", "openvino"])
def test_threads_are_an_option_and_an_argument(name: str) -> None:
    for text in (f"{name}:threads=0", f"{name}:threads=x", f"{name}:threads=100000000"):
        with pytest.raises(UserError, match="threads"):
            get_device(text)
    with pytest.raises(UserError, match="threads"):
        get_device(name, threads=0)
    assert get_device(name).info().threads == get_device(name, threads=None).info().threads == 1
    assert get_device(name, threads=2).info() == get_device(f"{name}:threads=2").info()
    assert get_device(f"{name}:threads=2", threads=3).info().threads == 2


def test_a_page_has_a_name_and_threads() -> None:
    assert get_device("page:phone", threads=2).name == get_device("page:name=phone").name == "page:phone"
    assert getattr(get_device("page:phone", threads=2), "threads", 0) == 2


def test_a_phone_has_a_serial_number_and_threads() -> None:
    assert get_device("android:192.168.1.5:5555").name == "android:192.168.1.5:5555"
    assert get_device("android", threads=2).name == "android"
    assert getattr(get_device("android:R58N", threads=2), "threads", 0) == 2


def test_devices_without_threads_ignore_the_argument() -> None:
    assert get_device("simulated:seed=3", threads=4).info() == get_device("simulated:seed=3").info()


def test_large_seeds_keep_all_their_digits() -> None:
    device = get_device("simulated:seed=12345678")
    assert device.name == "simulated:seed=12345678"
    assert get_device(device.name).info() == device.info()
