"""The OS images of PHY. `superuser_name` is the account that the keys of an install open."""

from __future__ import annotations

from typing import Any, NamedTuple


class Image(NamedTuple):
    os_image_id: str
    name: str
    superuser_name: str
    require_password: bool = True
    manual_partition: bool = True
    public_key_authentication: bool = True

    def view(self) -> dict[str, Any]:
        return dict(self._asdict())


IMAGES = {
    image.os_image_id: image
    for image in (
        Image("ubuntu2404", "Ubuntu Server 24.04 LTS (64bit)", "ubuntu"),
        Image("ubuntu2204", "Ubuntu Server 22.04 LTS (64bit)", "ubuntu"),
        Image("almalinux9", "AlmaLinux 9 (64bit)", "root"),
        Image("rockylinux9", "Rocky Linux 9 (64bit)", "root"),
        Image("vmware8", "VMware ESXi 8", "root", manual_partition=False, public_key_authentication=False),
    )
}
