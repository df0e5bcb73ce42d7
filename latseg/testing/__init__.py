"""Conformance suites for authors of plug-ins; needs pytest.

``<kind>_contract.py`` holds what every implementation of a contract must do. A plug-in's own tests subclass the suite,
name the class ``Test...`` and say which object it is about::

    from latseg.testing.device_contract import DeviceContract

    class TestMyDevice(DeviceContract): ...
"""
