# Starts a private PostgreSQL in a temporary folder and removes it when the script that sources this file ends.
# Exports WEIR_TEST_POSTGRES_URL; does nothing where that is set already.
# For: ./check, or by hand: bash -c '. tests/postgres.sh && postgres_start && cargo test'
# shellcheck shell=bash

# The folder of initdb and pg_ctl, in the order of PATH, Debian, Homebrew; the newest version where there are several.
postgres_find() {
    local found folder
    found=$(command -v initdb) && { dirname "$found"; return; }
    found=
    for folder in \
        /opt/homebrew/opt/postgresql@*/bin /opt/homebrew/opt/libpq/bin \
        /usr/local/opt/postgresql@*/bin /usr/local/pgsql/bin \
        /usr/pgsql-*/bin /usr/lib/postgresql/*/bin; do
        [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && found=$folder
    done
    [ -n "$found" ] && echo "$found"
}

# PostgreSQL refuses to run as root, so root runs it as somebody else.
postgres_run() {
    if [ -z "$POSTGRES_USER_NAME" ]; then
        "$@"
    elif command -v setpriv >/dev/null; then
        setpriv --reuid="$POSTGRES_USER_NAME" --regid="$(id -g "$POSTGRES_USER_NAME")" --clear-groups -- "$@"
    elif command -v runuser >/dev/null; then
        runuser -u "$POSTGRES_USER_NAME" -- "$@"
    else
        su "$POSTGRES_USER_NAME" -s /bin/sh -c '"$@"' -- sh "$@"
    fi
}

postgres_stop() {
    [ -n "${POSTGRES_FOLDER:-}" ] || return 0
    (cd / && postgres_run "$POSTGRES_BIN/pg_ctl" -D "$POSTGRES_FOLDER/data" -m immediate -w stop) >/dev/null 2>&1
    rm -rf "$POSTGRES_FOLDER"
    POSTGRES_FOLDER=
}

postgres_start() {
    if [ -n "${WEIR_TEST_POSTGRES_URL:-}" ]; then
        return 0
    fi
    POSTGRES_BIN=$(postgres_find) || {
        echo "PostgreSQL is not installed: run 'apt-get install postgresql' (Debian) or 'brew install postgresql@16' (macOS), or set WEIR_CHECK_SQLITE_ONLY=1" >&2
        return 1
    }
    POSTGRES_USER_NAME=
    if [ "$(id -u)" -eq 0 ]; then
        POSTGRES_USER_NAME=nobody
        if id postgres >/dev/null 2>&1; then POSTGRES_USER_NAME=postgres; fi
    fi
    POSTGRES_FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/weir-pg.XXXXXX") || return 1
    trap postgres_stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP

    # A password, because every user of the machine can reach the port.
    local password attempt port
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && printf '%s\n' "$password" >"$POSTGRES_FOLDER/password")
    if [ -n "$POSTGRES_USER_NAME" ]; then chown -R "$POSTGRES_USER_NAME" "$POSTGRES_FOLDER"; fi

    # From / because the other user may not be able to enter this folder.
    if ! (cd / && postgres_run "$POSTGRES_BIN/initdb" -D "$POSTGRES_FOLDER/data" -U weir -A scram-sha-256 \
        --pwfile="$POSTGRES_FOLDER/password" -E UTF8 --locale=C --no-sync) >"$POSTGRES_FOLDER.log" 2>&1; then
        cat "$POSTGRES_FOLDER.log" >&2
        rm -f "$POSTGRES_FOLDER.log"
        return 1
    fi
    # Nothing here outlives the tests, so nothing needs to reach the disk.
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + RANDOM % 20000))
        if (cd / && postgres_run "$POSTGRES_BIN/pg_ctl" -D "$POSTGRES_FOLDER/data" -l "$POSTGRES_FOLDER/log" -w -t 30 \
            -o "-p $port -h 127.0.0.1 -k '$POSTGRES_FOLDER' -F -c full_page_writes=off -c synchronous_commit=off -c max_connections=200" \
            start) >>"$POSTGRES_FOLDER.log" 2>&1; then
            rm -f "$POSTGRES_FOLDER.log"
            export WEIR_TEST_POSTGRES_URL="postgres://weir:$password@127.0.0.1:$port/postgres"
            return 0
        fi
    done
    cat "$POSTGRES_FOLDER.log" "$POSTGRES_FOLDER/log" >&2
    rm -f "$POSTGRES_FOLDER.log"
    return 1
}
