"""The Arm builds of the runtimes, in an emulator."""
