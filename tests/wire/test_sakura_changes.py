"""What takes several calls: creation, deletion, power, settings, changes of ID."""

from __future__ import annotations

from typing import Any

import pytest
from scripted import API, Script, Time

from daiku.errors import ApiError, ConflictError, DeadlineError, NotFoundError
from daiku.wire.sakura_cloud import SakuraCloud
from daiku.wire.sakura_kinds import DISK, INTERNET, LOAD_BALANCER, LOCAL_ROUTER, SERVER, SWITCH, VPC_ROUTER


def disk(state: str, copied: int = 0) -> dict[str, Any]:
    return {"Disk": {"ID": 5, "Availability": state, "MigratedMB": copied, "SizeMB": 20480}}


def server(status: str | None) -> dict[str, Any]:
    return {"Server": {"ID": 1, "Instance": {"Status": status} if status is not None else []}}


def test_a_copy_is_waited_for_with_its_progress(cloud: SakuraCloud, script: Script, time: Time) -> None:
    for state, copied in [("", 0), ("migrating", 5120), ("available", 20480)]:
        script.say("GET", f"{API}/disk/5", disk(state, copied))
    progress: list[tuple[int, int]] = []
    found = cloud.wait_available(DISK, "5", on_progress=lambda done, whole: progress.append((done, whole)))
    assert found["Availability"] == "available"
    assert progress == [(0, 20480), (5120, 20480), (20480, 20480)]
    assert time.slept == [5, 5]


def test_a_kind_without_availability_is_there_when_it_is_found(cloud: SakuraCloud, script: Script) -> None:
    script.refuse("GET", f"{API}/internet/1", 404, "not_found")
    script.say("GET", f"{API}/internet/1", {"Internet": {"ID": 1}})
    assert cloud.wait_available(INTERNET, "1")["ID"] == "1"


def test_a_copy_that_never_ends(cloud: SakuraCloud, script: Script, time: Time) -> None:
    script.say("GET", f"{API}/disk/5", disk("migrating"))
    with pytest.raises(DeadlineError, match="its creation did not happen within 1200 s"):
        cloud.wait_available(DISK, "5")
    assert time.now == 1200


def test_a_failed_copy_is_deleted_and_made_again(cloud: SakuraCloud, script: Script) -> None:
    script.say("POST", f"{API}/disk", disk("migrating"), 202)
    script.say("GET", f"{API}/disk/5", disk("failed")).say("GET", f"{API}/disk/5", disk("available"))
    script.refuse("DELETE", f"{API}/disk/5", 409, "conflict", "copying").say("DELETE", f"{API}/disk/5", {})
    assert cloud.create_disk({"Name": "d"})["Availability"] == "available"
    calls = [call.split()[0] for call in script.calls()]
    assert calls == ["POST", "GET", "DELETE", "DELETE", "POST", "GET"]


def test_copies_that_always_fail_leave_nothing_behind(cloud: SakuraCloud, script: Script) -> None:
    script.say("POST", f"{API}/disk", disk("migrating"), 202).say("GET", f"{API}/disk/5", disk("failed"))
    script.say("DELETE", f"{API}/disk/5", {})
    with pytest.raises(ApiError) as caught:
        cloud.create_disk({"Name": "d"}, copies=2)
    assert caught.value.code == "failed"
    calls = [call.split()[0] for call in script.calls()]
    assert (calls.count("POST"), calls.count("DELETE")) == (2, 2)


def test_a_server_is_booted_with_its_user_data(cloud: SakuraCloud, script: Script, time: Time) -> None:
    script.say("GET", f"{API}/server/1", server("down")).say("GET", f"{API}/server/1", server("up"))
    script.say("PUT", f"{API}/server/1/power", {"is_ok": True})
    cloud.power_on(SERVER, "1", user_data="#cloud-config\n")
    boot = script.seen[1]
    assert boot.body == {"UserBootVariables": {"CloudInit": {"UserData": "#cloud-config\n"}}}
    assert script.calls()[-1] == f"GET {API}/server/1"


def test_a_server_that_is_up_is_left_alone(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/server/1", server("up"))
    cloud.power_on(SERVER, "1")
    assert script.calls() == [f"GET {API}/server/1"]


def test_a_boot_that_was_not_heard_is_repeated_after_twenty_seconds(
    cloud: SakuraCloud, script: Script, time: Time
) -> None:
    for _ in range(6):
        script.say("GET", f"{API}/server/1", server("down"))
    script.say("GET", f"{API}/server/1", server("up"))
    script.say("PUT", f"{API}/server/1/power", {}).refuse(
        "PUT", f"{API}/server/1/power", 409, "conflict", "going"
    )
    cloud.power_on(SERVER, "1")
    calls = script.calls()
    assert calls.count(f"PUT {API}/server/1/power") == 2
    assert calls.index(f"PUT {API}/server/1/power") == 1
    assert calls[5] == f"GET {API}/server/1"
    assert calls[6] == f"PUT {API}/server/1/power"  # 20 s later; its 409 means that the boot is going on


def test_a_boot_that_is_always_refused_is_an_error(cloud: SakuraCloud, script: Script, time: Time) -> None:
    script.say("GET", f"{API}/server/1", server("down"))
    script.refuse("PUT", f"{API}/server/1/power", 409, "conflict", "the disk is not connected")
    with pytest.raises(ConflictError, match="the disk is not connected"):
        cloud.power_on(SERVER, "1")
    assert time.now == 180


def test_a_boot_that_the_api_started_by_itself_is_no_error(cloud: SakuraCloud, script: Script) -> None:
    for _ in range(20):
        script.say("GET", f"{API}/server/1", server("down"))
    script.say("GET", f"{API}/server/1", server("up"))
    script.refuse("PUT", f"{API}/server/1/power", 409, "conflict", "in progress")
    assert cloud.power_on(SERVER, "1")["Instance"]["Status"] == "up"


def test_refusals_after_an_accepted_call_only_mean_that_it_goes_on(
    cloud: SakuraCloud, script: Script
) -> None:
    script.say("GET", f"{API}/server/1", server("down"))
    script.say("PUT", f"{API}/server/1/power", {}).refuse("PUT", f"{API}/server/1/power", 409, "conflict")
    with pytest.raises(DeadlineError, match="power on did not happen"):
        cloud.power_on(SERVER, "1")


def test_a_boot_while_it_is_still_being_created(cloud: SakuraCloud, script: Script, time: Time) -> None:
    script.say("GET", f"{API}/server/1", server(None)).say("GET", f"{API}/server/1", server("up"))
    script.refuse("PUT", f"{API}/server/1/power", 409, "still_creating").say(
        "PUT", f"{API}/server/1/power", {}
    )
    cloud.power_on(SERVER, "1")
    assert time.slept[0] == 20


def test_a_shutdown_asks_first_and_then_pulls_the_plug(
    cloud: SakuraCloud, script: Script, time: Time
) -> None:
    path = f"{API}/server/1/power"
    script.say("DELETE", path, {})
    states = {"status": "up"}
    original = script.next

    def next_answer(method: str, where: str) -> tuple[int, Any, dict[str, str]]:
        if method == "DELETE" and script.seen[-1].body.get("Force"):
            states["status"] = "down"
        if method == "GET":
            return 200, server(states["status"]), {}
        return original(method, where)

    script.next = next_answer  # type: ignore[method-assign]
    cloud.power_off(SERVER, "1", grace=60)
    bodies = [seen.body for seen in script.seen if seen.method == "DELETE"]
    assert bodies == [{}, {}, {}, {"Force": True}]
    assert 60 <= time.now < 70


def test_a_forced_shutdown_pulls_the_plug_at_once(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/server/1", server("up")).say("GET", f"{API}/server/1", server("down"))
    script.say("DELETE", f"{API}/server/1/power", {})
    cloud.power_off(SERVER, "1", force=True)
    assert script.seen[1].body == {"Force": True}


def test_settings_are_saved_on_their_hash_and_made_live(cloud: SakuraCloud, script: Script) -> None:
    path = f"{API}/appliance/9"
    script.say("GET", path, {"Appliance": {"ID": 9, "SettingsHash": "h1"}})
    script.say("PUT", path, {"Appliance": {"ID": 9, "SettingsHash": "h2"}})
    script.refuse("PUT", f"{path}/config", 404, "not_found").say("PUT", f"{path}/config", {})
    settings = {"Router": {"InternetConnection": {"Enabled": "True"}}}
    assert cloud.apply_settings(VPC_ROUTER, "9", settings)["SettingsHash"] == "h2"
    assert script.seen[1].body == {"Appliance": {"Settings": settings, "SettingsHash": "h1"}}
    assert script.calls()[2:] == [f"PUT {path}/config"] * 2  # a new appliance is not found for a while


def test_settings_that_changed_elsewhere_are_not_overwritten(cloud: SakuraCloud, script: Script) -> None:
    script.refuse("PUT", f"{API}/appliance/9", 409, "conflict", "hash mismatch")
    with pytest.raises(ConflictError) as caught:
        cloud.apply_settings(LOAD_BALANCER, "9", {"LoadBalancer": []}, settings_hash="old")
    assert script.seen[0].body["Appliance"]["SettingsHash"] == "old"
    assert "refresh" in caught.value.hint
    assert script.calls() == [f"PUT {API}/appliance/9"]


def test_a_local_router_has_nothing_to_apply(cloud: SakuraCloud, script: Script) -> None:
    path = f"{API}/commonserviceitem/9"
    script.say("GET", path, {"CommonServiceItem": {"ID": 9, "SettingsHash": "h"}})
    script.say("PUT", path, {"CommonServiceItem": {"ID": 9}})
    cloud.save_settings(LOCAL_ROUTER, "9", {"LocalRouter": {}})
    assert script.calls() == [f"GET {path}", f"PUT {path}"]


def test_packet_filter_rules_go_with_the_hash_beside_the_envelope(cloud: SakuraCloud, script: Script) -> None:
    path = f"{API}/packetfilter/3"
    script.say("GET", path, {"PacketFilter": {"ID": 3, "ExpressionHash": "e1"}})
    script.say("PUT", path, {"PacketFilter": {"ID": 3, "ExpressionHash": "e2"}})
    cloud.update_packet_filter("3", {"Expression": []})
    assert script.seen[1].body == {"PacketFilter": {"Expression": []}, "OriginalExpressionHash": "e1"}


def test_a_change_of_plan_remembers_the_old_id(cloud: SakuraCloud, script: Script) -> None:
    path = f"{API}/server/1"
    script.say("GET", path, {"Server": {"ID": 1, "Name": "cp0", "Tags": ["x"]}}).say(
        "PUT", path, server("down")
    )
    script.say("PUT", f"{path}/plan", {"Server": {"ID": 2, "Name": "cp0"}})
    assert cloud.change_server_plan("1", {"CPU": 4, "MemoryMB": 8192})["ID"] == "2"
    assert script.seen[1].body["Server"] == {
        "Name": "cp0",
        "Description": "",
        "Tags": ["x", "@previous-id=1"],
    }
    assert script.seen[2].body == {"CPU": 4, "MemoryMB": 8192}


def test_a_change_of_bandwidth_with_all_tags_used(cloud: SakuraCloud, script: Script) -> None:
    path = f"{API}/internet/1"
    script.say("GET", path, {"Internet": {"ID": 1, "Tags": [str(n) for n in range(10)]}})
    script.say("PUT", f"{path}/bandwidth", {"Internet": {"ID": 2, "BandWidthMbps": 500}})
    assert cloud.change_bandwidth("1", 500)["ID"] == "2"
    assert script.seen[1].body == {"Internet": {"BandWidthMbps": 500}}


def test_the_successor_of_an_id_is_found_by_its_tag(cloud: SakuraCloud, script: Script) -> None:
    tag = "@previous-id=1"
    items = [{"ID": 1, "Tags": [tag]}, {"ID": 2, "Tags": [tag]}]
    script.say("GET", f"{API}/server", {"Servers": items, "Total": 2})
    found = cloud.find_successor(SERVER, "1")
    assert found is not None
    assert found["ID"] == "2"


def test_nics_are_given_time_to_settle(cloud: SakuraCloud, script: Script, time: Time) -> None:
    script.say("PUT", f"{API}/interface/4/to/switch/7", {}).say("DELETE", f"{API}/interface/4/to/switch", {})
    script.say("PUT", f"{API}/appliance/9/interface/1/to/switch/7", {})
    cloud.connect_interface("4", "7")
    cloud.disconnect_interface("4")
    cloud.connect_appliance(VPC_ROUTER, "9", 1, "7")
    assert time.slept == [5, 5, 5]


def test_a_switch_is_deleted_when_nothing_is_attached(cloud: SakuraCloud, script: Script) -> None:
    path = f"{API}/switch/7"
    script.say("GET", f"{path}/server", {"Servers": [{"ID": 1, "Name": "cp0"}]}).say(
        "GET", f"{path}/server", {"Servers": []}
    )
    router = {"ID": 9, "Class": "vpcrouter", "Name": "nat", "Interfaces": [None, {"Switch": {"ID": 7}}, None]}
    script.say("GET", f"{API}/appliance", {"Appliances": [router], "Total": 1})
    script.say("GET", f"{API}/appliance", {"Appliances": [router], "Total": 1})
    script.say("GET", f"{API}/appliance", {"Appliances": [], "Total": 0})
    script.refuse("DELETE", path, 409, "conflict", "in use").say("DELETE", path, {"Switch": {}})
    cloud.delete_switch("7")
    assert script.calls()[-2:] == [f"DELETE {path}"] * 2


def test_a_switch_that_stays_in_use_names_its_users(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/switch/7/server", {"Servers": [{"ID": 1, "Name": "cp0"}]})
    lb = {"ID": 9, "Class": "loadbalancer", "Name": "api", "Remark": {"Switch": {"ID": 7}}, "Interfaces": []}
    script.say("GET", f"{API}/appliance", {"Appliances": [lb], "Total": 1})
    with pytest.raises(DeadlineError, match="still attached: loadbalancer api, server cp0"):
        cloud.delete_switch("7")
    assert not [call for call in script.calls() if call.startswith("DELETE")]


def test_deleting_what_is_gone_is_no_error(cloud: SakuraCloud, script: Script) -> None:
    script.refuse("GET", f"{API}/switch/7/server", 404, "not_found")
    script.refuse("DELETE", f"{API}/switch/7", 404, "not_found")
    cloud.delete_switch("7")
    cloud.delete_when_free(SWITCH, "7")


def test_the_newest_archive_with_the_tag_is_taken(cloud: SakuraCloud, script: Script) -> None:
    tag = "ubuntu-24.04-latest"
    archives = [
        {"ID": 1, "Tags": [tag], "CreatedAt": "2026-01-01T00:00:00+09:00", "Availability": "available"},
        {"ID": 2, "Tags": [tag], "CreatedAt": "2026-05-01T00:00:00+09:00", "Availability": "available"},
        {"ID": 3, "Tags": [tag], "CreatedAt": "2026-06-01T00:00:00+09:00", "Availability": "migrating"},
        {"ID": 4, "Tags": ["other"], "CreatedAt": "2026-07-01T00:00:00+09:00"},
    ]
    script.say("GET", f"{API}/archive", {"Archives": archives, "Total": 4})
    assert cloud.find_archive([tag])["ID"] == "2"


def test_an_unknown_archive_tag_is_named(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/archive", {"Archives": [], "Total": 0})
    with pytest.raises(NotFoundError, match="ubuntu-14"):
        cloud.find_archive(["ubuntu-14.04"])


def test_the_newest_plan_of_exactly_this_size(cloud: SakuraCloud, script: Script) -> None:
    plans = [
        {"ID": 1, "CPU": 4, "MemoryMB": 8192, "GPU": 1, "Generation": 200},
        {"ID": 2, "CPU": 4, "MemoryMB": 8192, "Generation": 200, "Availability": "discontinued"},
        {"ID": 3, "CPU": 4, "MemoryMB": 8192, "Generation": 100, "Availability": "available"},
    ]
    script.say("GET", f"{API}/product/server", {"ServerPlans": plans, "Total": 3})
    assert cloud.find_server_plan(cpu=4, memory_mb=8192)["ID"] == "3"
    with pytest.raises(NotFoundError, match="8 CPUs, 16 GB"):
        cloud.find_server_plan(cpu=8, memory_mb=16384)
