"""The kinds of objects of the Sakura Cloud API: where each lives and what its envelopes are called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object.

    name      ours, and the word in messages ("server", "vpc-router")
    path      the collection under /api/cloud/1.1/ ("server", "product/disk")
    single    the key around one object ("Server")
    plural    the key around a listing ("Servers"; Internet's is "Internet" again)
    class_at  the dotted key of the discriminator where several kinds share a path ("Class", "Provider.Class")
    class_is  its value ("vpcrouter")
    is_global the same in every zone, called through the default zone
    appears_late  a read just after the creation may say 404
    """

    name: str
    path: str
    single: str
    plural: str
    class_at: str = ""
    class_is: str = ""
    is_global: bool = False
    appears_late: bool = False


def _appliance(name: str, class_is: str) -> Kind:
    return Kind(name, "appliance", "Appliance", "Appliances", "Class", class_is, appears_late=True)


SERVER = Kind("server", "server", "Server", "Servers")
DISK = Kind("disk", "disk", "Disk", "Disks")
ARCHIVE = Kind("archive", "archive", "Archive", "Archives")
CDROM = Kind("cdrom", "cdrom", "CDROM", "CDROMs")
SWITCH = Kind("switch", "switch", "Switch", "Switches")
BRIDGE = Kind("bridge", "bridge", "Bridge", "Bridges")
INTERNET = Kind("internet", "internet", "Internet", "Internet", appears_late=True)
INTERFACE = Kind("interface", "interface", "Interface", "Interfaces")
PACKET_FILTER = Kind("packet-filter", "packetfilter", "PacketFilter", "PacketFilters")
NOTE = Kind("note", "note", "Note", "Notes", is_global=True)
SSH_KEY = Kind("ssh-key", "sshkey", "SSHKey", "SSHKeys", is_global=True)
ICON = Kind("icon", "icon", "Icon", "Icons", is_global=True)
APPLIANCE = Kind("appliance", "appliance", "Appliance", "Appliances", appears_late=True)
VPC_ROUTER = _appliance("vpc-router", "vpcrouter")
LOAD_BALANCER = _appliance("load-balancer", "loadbalancer")
LOCAL_ROUTER = Kind(
    "local-router",
    "commonserviceitem",
    "CommonServiceItem",
    "CommonServiceItems",
    "Provider.Class",
    "localrouter",
    is_global=True,
)
SERVER_PLAN = Kind("server-plan", "product/server", "ServerPlan", "ServerPlans")
DISK_PLAN = Kind("disk-plan", "product/disk", "DiskPlan", "DiskPlans")
INTERNET_PLAN = Kind("internet-plan", "product/internet", "InternetPlan", "InternetPlans")
ZONE = Kind("zone", "zone", "Zone", "Zones")
REGION = Kind("region", "region", "Region", "Regions")
IP_ADDRESS = Kind("ip-address", "ipaddress", "IPAddress", "IPAddress")
SUBNET = Kind("subnet", "subnet", "Subnet", "Subnets")

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        *(
            SERVER,
            DISK,
            ARCHIVE,
            CDROM,
            SWITCH,
            BRIDGE,
            INTERNET,
            INTERFACE,
            PACKET_FILTER,
            NOTE,
            SSH_KEY,
            ICON,
        ),
        *(APPLIANCE, VPC_ROUTER, LOAD_BALANCER, LOCAL_ROUTER, SERVER_PLAN, DISK_PLAN, INTERNET_PLAN),
        *(ZONE, REGION, IP_ADDRESS, SUBNET),
    )
}
