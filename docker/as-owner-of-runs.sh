#!/bin/sh
# Runs a command as the owner of the runs folder, so that the files of a run belong to the user who started Compose.
# Without the rights to change user (docker run --user ...) it runs the command as it is.
set -eu
owner=$(stat -c %u /omnigap/runs)
group=$(stat -c %g /omnigap/runs)
if [ "$(id -u)" -ne 0 ] || [ "$owner" -eq 0 ]; then
  exec "$@"
fi
exec setpriv --reuid="$owner" --regid="$group" --clear-groups --no-new-privs "$@"
