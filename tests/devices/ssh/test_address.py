import pytest

from devices.registry import get_device, get_device_here
from devices.ssh.address import SshAddress
from foundation.errors import UserError


@pytest.mark.parametrize(
    ("text", "address", "device", "words"),
    [
        ("ssh://board/cpu", SshAddress("board"), "cpu", ("--", "board")),
        (
            "ssh://me@10.0.0.7:2222/ncnn",
            SshAddress("10.0.0.7", "me", 2222),
            "ncnn",
            ("-p", "2222", "--", "me@10.0.0.7"),
        ),
        ("ssh://[fe80::1]:22/mnn", SshAddress("[fe80::1]", port=22), "mnn", ("-p", "22", "--", "fe80::1")),
        ("ssh://b_1.example.org/a:b=c,d=/e", SshAddress("b_1.example.org"), "a:b=c,d=/e", ("--", "b_1.example.org")),
    ],
)
def test_parts_of_a_name(text: str, address: SshAddress, device: str, words: tuple[str, ...]) -> None:
    assert SshAddress.parse(text) == (address, device)
    assert address.words == words
    assert text == f"{address}/{device}"


@pytest.mark.parametrize(
    "place",
    [
        "", "-oProxyCommand=touch", "--", "a b", "a;b", "a$(b)", "a`b`", "a'b", 'a"b', "a\nb", "a\n", "*", "~", "me@",
        "@board", "-l@board", "me you@board", "a@b@c", "board:", "board:0", "board:65536", "board:x", "board:-1",
        "fe80::1", "[board]", "[fe80::1", "böard",
    ],
)  # fmt: skip
def test_what_could_be_an_option_or_a_word_of_a_shell_is_refused(place: str) -> None:
    with pytest.raises(UserError, match=r"expected ssh://\[USER@\]HOST\[:PORT\]/DEVICE; write for example"):
        get_device(f"ssh://{place}/cpu")


@pytest.mark.parametrize("text", ["ssh://board", "ssh://board/", "ssh:///cpu", "ssh://"])
def test_machine_and_device_are_both_named(text: str) -> None:
    with pytest.raises(UserError, match="write for example"):
        get_device(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ssh://board/nothing", "one of cpu"),
        ("ssh://board/cpu:threads=0", "threads"),
        ("ssh://board/ssh://board/cpu", "one of cpu"),
        ("ssh://board/simulated", "behind the name of a machine"),
        ("ssh://board/cuda", "behind the name of a machine"),
    ],
)
def test_the_device_there_is_one_that_can_be_there(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        get_device(text)


def test_options_are_those_of_the_device_there() -> None:
    assert get_device("ssh://me@board/ncnn:threads=3", threads=2).threads == 3  # type: ignore[attr-defined]
    device = get_device("ssh://me@board/ncnn", threads=2)
    assert (device.name, device.format, device.threads) == ("ssh://me@board/ncnn", "ncnn", 2)  # type: ignore[attr-defined]
    assert get_device("ssh://board/openvino-bf16").precision == "bfloat16"  # type: ignore[attr-defined]
    assert get_device("ssh://board/cpu").listed_weights_are_inputs


def test_a_file_names_no_machine_to_connect_to() -> None:
    with pytest.raises(UserError, match="only if you trust the file"):
        get_device_here("ssh://board/cpu")
    with pytest.raises(UserError, match="only if you trust the file: --device page:phone"):
        get_device_here("page:phone")
    with pytest.raises(UserError, match="of another machine, named in a file"):
        get_device_here("android:R58N")
    assert get_device_here("cpu:threads=2").name == "cpu"
