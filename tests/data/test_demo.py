"""The demo dataset."""

from neumf_tui.data.dataset import Dataset


def test_demo_is_large_enough_and_always_the_same(demo: Dataset) -> None:
    from neumf_tui.data.demo import make_demo

    assert (
        demo.num_items >= 600
        and demo.num_users >= 600
        and demo.num_train + demo.num_users >= 50_000
    )
    assert all(demo.catalogue.years) and all(demo.catalogue.genres)
    assert demo.simulated and all(user.startswith("sim-") for user in demo.user_ids)
    assert make_demo().fingerprint == demo.fingerprint
    assert demo.fingerprint.startswith(DEMO_FINGERPRINT)


DEMO_FINGERPRINT = "5531acb972fcef7a"
