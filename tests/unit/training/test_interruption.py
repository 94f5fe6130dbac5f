import os
import signal
import threading

import pytest

from triton_earth.training.interruption import Interrupted, listening


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_is_noted_and_the_former_handler_comes_back(number):
    before = signal.getsignal(number)
    with listening() as request:
        assert request.name == ""
        os.kill(os.getpid(), number)
        assert request.name == number.name
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_nothing_is_listened_to():
    names = []

    def work():
        with listening() as request:
            names.append(request.name)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert names == [""]


def test_it_says_how_to_go_on():
    assert str(Interrupted("SIGTERM", 40)) == (
        "stopped by SIGTERM after step 40; the same command with --resume goes on."
    )
