"""Tests against real servers on this machine; see CONTRIBUTING."""
