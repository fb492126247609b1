"""The PHY API (`/cloud/api/dedicated-phy/1.0`): bare-metal servers that are adopted, never made."""
