# Sourced by .ci/run: each function makes one service answer on 127.0.0.1 and exports the URL that the tests read.
# A service that answers already is used as it is; one that does not is installed and started, which needs root.

updated=
apt_install() {
    if [ -z "$updated" ]; then
        apt-get update -qq
        updated=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# wait_for WHAT COMMAND...: up to 30 seconds
wait_for() {
    local what=$1
    shift
    for _ in $(seq 60); do
        if "$@" >/dev/null 2>&1; then
            return 0
        fi
        sleep 0.5
    done
    echo "$what does not answer." >&2
    return 1
}

need_chromium() {
    if ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then
        apt_install chromium
    fi
    if ! command -v fc-list >/dev/null || ! fc-list | grep -qi dejavu; then
        apt_install fontconfig fonts-dejavu-core
    fi
}

need_postgres() {
    if [ -z "${PERF_PANELS_TEST_POSTGRES:-}" ]; then
        command -v pg_lsclusters >/dev/null || apt_install postgresql
        if ! pg_isready -q -h 127.0.0.1; then
            # shellcheck disable=SC2012 # one folder per version, of Debian's making
            pg_ctlcluster --skip-systemctl-redirect "$(ls /etc/postgresql | tail -n 1)" main start || true
            wait_for PostgreSQL pg_isready -q -h 127.0.0.1
        fi
        # Indexes are tried with HypoPG where it is installed, so it is.
        if ! ls /usr/share/postgresql/*/extension/hypopg.control >/dev/null 2>&1; then
            apt_install "postgresql-$(ls /etc/postgresql | tail -n 1)-hypopg" || echo "No HypoPG: its test is skipped." >&2
        fi
        if psql -qw -h 127.0.0.1 -U postgres -c 'SELECT 1' postgres >/dev/null 2>&1; then
            export PERF_PANELS_TEST_POSTGRES=postgres://postgres@127.0.0.1:5432/postgres
        else
            # A freshly installed one asks for a password on TCP.
            su postgres -c "psql -q" <<<"DROP ROLE IF EXISTS perf_panels; CREATE ROLE perf_panels SUPERUSER LOGIN PASSWORD 'perf_panels'"
            export PERF_PANELS_TEST_POSTGRES=postgres://perf_panels:perf_panels@127.0.0.1:5432/postgres
        fi
    fi
}

need_mariadb() {
    if [ -z "${PERF_PANELS_TEST_MARIADB:-}" ]; then
        command -v mariadbd >/dev/null || apt_install mariadb-server
        if ! mariadb-admin --silent ping >/dev/null 2>&1; then
            mkdir -p /run/mysqld && chown mysql:mysql /run/mysqld
            start-stop-daemon --start --oknodo --background --exec "$(command -v mariadbd)"
            wait_for MariaDB mariadb-admin --silent ping
        fi
        if mariadb -h 127.0.0.1 -u root -e 'SELECT 1' >/dev/null 2>&1; then
            export PERF_PANELS_TEST_MARIADB=mysql://root@127.0.0.1:3306/test
        else
            # A freshly installed one lets root in by the socket only.
            mariadb -e "CREATE DATABASE IF NOT EXISTS test; GRANT ALL ON *.* TO perf_panels@'%' IDENTIFIED BY 'perf_panels'"
            export PERF_PANELS_TEST_MARIADB=mysql://perf_panels:perf_panels@127.0.0.1:3306/test
        fi
    fi
}

need_redis() {
    if [ -z "${PERF_PANELS_TEST_REDIS:-}" ]; then
        command -v redis-server >/dev/null || apt_install redis-server
        if ! redis-cli -h 127.0.0.1 ping >/dev/null 2>&1; then
            redis-server --daemonize yes --bind 127.0.0.1 --port 6379 --save "" --appendonly no >/dev/null
            wait_for Redis redis-cli -h 127.0.0.1 ping
        fi
        export PERF_PANELS_TEST_REDIS=redis://127.0.0.1:6379/0
    fi
}
