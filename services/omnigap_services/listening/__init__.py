"""What every service that writes down speech shares: the clip that it takes, and how clips are cut and put together."""
