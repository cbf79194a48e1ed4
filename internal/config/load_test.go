package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
)

// load binds, parses the arguments and loads, as the daemon does. It sets the data
// directory, so that tests do not depend on a home directory.
func load(t *testing.T, env map[string]string, args ...string) (config.Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	loader := config.Bind(flags, func(name string) (string, bool) {
		value, isSet := env[name]
		return value, isSet
	})
	require.NoError(t, flags.Parse(append([]string{"--data-dir", "data"}, args...)), "parse %q", args)
	return loader.Load()
}

// file writes a settings file and returns its name.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestPrecedenceOfFlagsEnvironmentAndFile(t *testing.T) {
	t.Parallel()
	name := file(t, "region: file\nnode: file\nlog-level: warn\netcd-retention: 1h\netcd-endpoints: [http://f:1, http://f:2]\n")
	env := map[string]string{
		"RTMANAGER_REGION": "env", "RTMANAGER_NODE": "env", "RTMANAGER_ETCD_ENDPOINTS": "http://e:1,http://e:2",
		"RTMANAGER_LOG_LEVEL": "",
	}
	c, err := load(t, env, "--config", name, "--region", "flag")
	require.NoError(t, err)
	require.Equal(t, "flag", c.Region)
	require.Equal(t, "env", c.Node)
	require.Equal(t, []string{"http://e:1", "http://e:2"}, c.EtcdEndpoints, "a list is replaced, not added to")
	require.Equal(t, "warn", c.LogLevel, "an empty variable is ignored")
	require.Equal(t, time.Hour, c.EtcdRetention)
	require.Equal(t, config.Default().EtcdDialTimeout, c.EtcdDialTimeout, "other settings keep their defaults")
}

func TestAllowedNetworksAccumulate(t *testing.T) {
	t.Parallel()
	c, err := load(t, nil, "--docker-allow-network", "x,y", "--docker-allow-network", "z")
	require.NoError(t, err)
	require.Equal(t, []string{"x", "y", "z"}, c.DockerAllowNetwork)
}

func TestAFlagWithItsDefaultOverridesTheEnvironment(t *testing.T) {
	t.Parallel()
	c, err := load(t, map[string]string{"RTMANAGER_REGION": "env"}, "--region", config.Default().Region)
	require.NoError(t, err)
	require.Equal(t, config.Default().Region, c.Region)
}

// Every flag has a variable that accepts the same values.
func TestEveryFlagHasAVariable(t *testing.T) {
	t.Parallel()
	certs := t.TempDir()
	values := map[string]string{
		"certs": certs, "listen": "127.0.0.1:1", "insecure": "true", "etcd-endpoints": "https://e:1", "etcd-prefix": "/p",
		"etcd-cacert": "ca", "etcd-cert": "cert", "etcd-key": "key", "etcd-user": "u", "etcd-password-file": "pw",
		"etcd-dial-timeout": "3s", "etcd-listen-client": "https://127.0.0.1:3", "etcd-listen-peer": "https://127.0.0.1:4",
		"etcd-listen-cert": "elc", "etcd-listen-key": "elk", "etcd-listen-client-ca": "elca", "etcd-peer-cert": "epc", "etcd-peer-key": "epk", "etcd-peer-ca": "epca",
		"cluster-init": "false", "cluster-join": "", "cluster-round-trip": "250ms", "etcd-advertise-client": "https://ac:1", "etcd-advertise-peer": "https://ap:1",
		"etcd-cluster-token": "t", "etcd-quota-bytes": "9007199254740993", "etcd-retention": "5s", "disk-reserve": "33554432", "region": "r", "node": "n",
		"tls-cert": "tc", "tls-key": "tk", "tls-client-ca": "tca", "auth": "on",
		"oidc-issuer": "https://i", "oidc-client-id": "ci", "oidc-audience": "au", "oidc-username-claim": "uc", "oidc-groups-claim": "gc", "oidc-ca": "ica",
		"secrets-key-file": "skf", "secrets-key-command": "",
		"audit-file": "af", "audit-max-bytes": "1048577", "audit-max-files": "5", "audit-webhook": "https://aw", "archive-file": "arf", "archive-url": "https://ar",
		"backup-dir": "bd", "backup-interval": "2m", "backup-keep": "6",
		"limit-rate": "11", "limit-write-rate": "12", "limit-concurrency": "13", "limit-streams": "14", "limit-connections": "-1",
		"engine": "none", "log-level": "error", "log-format": "text", "data-dir": "d",
		"images-dir": "i", "docker-host": "unix:///d.sock", "docker-network": "dn", "docker-endpoint": "container",
		"docker-allow-network": "x,y", "docker-address": "10.0.0.1", "docker-state-dir": "/s", "docker-user": "1:2",
		"game-ports": "5000-5009", "public-address": "2001:db8::7",
		"docker-pids-limit": "3", "docker-memory-bytes": "9007199254740995",
		"capacity-cpus": "3.5", "capacity-memory": "16GiB", "capacity-games": "20", "node-labels": "disk=ssd,zone=a", "node-taints": "gpu=yes:NoSchedule",
		"advertise": "https://a:1", "node-ttl": "7s", "node-lost-grace": "8s", "planned-stop-grace": "8m", "reconcile-every": "9s", "health-every": "10s",
		"cleanup-after": "11s", "removed-retention": "12s", "brake-share": "0.25", "restore-games": "false", "allow-exec": "false", "rename-from": "r/o", "federate": "us=https://us:1,https://us:2,ap=https://ap:1",
	}
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	env := map[string]string{}
	loader := config.Bind(flags, func(name string) (string, bool) { value, ok := env[name]; return value, ok })
	flags.VisitAll(func(f *pflag.Flag) {
		value, isListed := values[f.Name]
		require.True(t, isListed || f.Name == "config", "flag --%s is not in this test", f.Name)
		if isListed {
			env[config.EnvOf(f.Name)] = value
		}
	})
	require.Contains(t, env, "RTMANAGER_ETCD_LISTEN_CLIENT", "the name of a variable")
	require.NoError(t, flags.Parse(nil))

	c, err := loader.Load()
	require.NoError(t, err)
	require.Equal(t, config.Config{
		Listen: "127.0.0.1:1", Insecure: true, EtcdEndpoints: []string{"https://e:1"}, EtcdPrefix: "/p",
		EtcdCACert: "ca", EtcdCert: "cert", EtcdKey: "key", EtcdUser: "u", EtcdPasswordFile: "pw",
		EtcdDialTimeout: 3 * time.Second, EtcdListen: config.EtcdListen{
			EtcdListenClient: "https://127.0.0.1:3", EtcdListenCert: "elc", EtcdListenKey: "elk", EtcdListenClientCA: "elca",
			EtcdListenPeer: "https://127.0.0.1:4", EtcdPeerCert: "epc", EtcdPeerKey: "epk", EtcdPeerCA: "epca",
		},
		Cluster:          config.Cluster{ClusterRoundTrip: 250 * time.Millisecond, EtcdAdvertiseClient: "https://ac:1", EtcdAdvertisePeer: "https://ap:1"},
		EtcdClusterToken: "t", EtcdQuotaBytes: 9007199254740993, EtcdRetention: 5 * time.Second, DiskReserve: 32 << 20, Region: "r", Node: "n", RenameFrom: "r/o",
		Federate: []string{"us=https://us:1", "https://us:2", "ap=https://ap:1"},
		Engine:   "none", LogLevel: "error", LogFormat: "text", DataDir: "d",
		Certs:    config.Certs{CertsDir: certs},
		Security: config.Security{TLSCert: "tc", TLSKey: "tk", TLSClientCA: "tca", Auth: "on"},
		OIDC:     config.OIDC{OIDCIssuer: "https://i", OIDCClientID: "ci", OIDCAudience: "au", OIDCUsernameClaim: "uc", OIDCGroupsClaim: "gc", OIDCCA: "ica"},
		Secrets:  config.Secrets{SecretsKeyFile: "skf"},
		Audit:    config.Audit{AuditFile: "af", AuditMaxBytes: 1<<20 + 1, AuditMaxFiles: 5, AuditWebhook: "https://aw"},
		Archive:  config.Archive{ArchiveFile: "arf", ArchiveURL: "https://ar"},
		Backup:   config.Backup{BackupDir: "bd", BackupInterval: 2 * time.Minute, BackupKeep: 6},
		Limits:   config.Limits{LimitRate: 11, LimitWriteRate: 12, LimitConcurrency: 13, LimitStreams: 14, LimitConnections: -1},
		Placement: config.Placement{
			CapacityCPUs: 3.5, CapacityMemory: "16GiB", CapacityGames: 20, NodeLabels: []string{"disk=ssd", "zone=a"}, NodeTaints: []string{"gpu=yes:NoSchedule"},
		},
		NodeManager: config.NodeManager{
			ImagesDir: "i", DockerHost: "unix:///d.sock", DockerNetwork: "dn", DockerEndpoint: "container",
			DockerAllowNetwork: []string{"x", "y"}, DockerAddress: "10.0.0.1", DockerStateDir: "/s", DockerUser: "1:2",
			GamePorts: "5000-5009", PublicAddress: "2001:db8::7",
			DockerPidsLimit: 3, DockerMemoryBytes: 9007199254740995,
			Advertise: "https://a:1", NodeTTL: 7 * time.Second, NodeLostGrace: 8 * time.Second, PlannedStopGrace: 8 * time.Minute, ReconcileEvery: 9 * time.Second,
			HealthEvery: 10 * time.Second, CleanupAfter: 11 * time.Second, RemovedRetention: 12 * time.Second, BrakeShare: 0.25,
		},
	}, c)
}

func TestTheFileCanBeSetByItsVariable(t *testing.T) {
	t.Parallel()
	c, err := load(t, map[string]string{"RTMANAGER_CONFIG": file(t, "region: file\n")})
	require.NoError(t, err)
	require.Equal(t, "file", c.Region)
}

func TestEveryInvalidVariableIsReported(t *testing.T) {
	t.Parallel()
	_, err := load(t, map[string]string{
		"RTMANAGER_INSECURE": "maybe", "RTMANAGER_ETCD_QUOTA_BYTES": "lots", "RTMANAGER_ETCD_RETENTION": "10",
		"RTMANAGER_CONFIG": file(t, "data_dir: x\n"),
	})
	for _, want := range []string{
		`environment variable RTMANAGER_INSECURE: invalid argument "maybe"`,
		`environment variable RTMANAGER_ETCD_QUOTA_BYTES: invalid argument "lots"`,
		`environment variable RTMANAGER_ETCD_RETENTION: invalid argument "10"`,
		`"data_dir" is not a setting`,
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestSettingsOfTheEnvironmentAreValidated(t *testing.T) {
	t.Parallel()
	_, err := load(t, map[string]string{"RTMANAGER_LISTEN": "here", "RTMANAGER_ENGINE": "x"})
	require.ErrorContains(t, err, `--listen "here"`)
	require.ErrorContains(t, err, `--engine "x"`)
}

// An empty list would otherwise create a new store.
func TestEmptyEndpointsAreRejected(t *testing.T) {
	t.Parallel()
	_, err := load(t, nil, "--etcd-endpoints", "")
	require.ErrorContains(t, err, "--etcd-endpoints is empty")
	_, err = load(t, nil, "--config", file(t, "etcd-endpoints: []\n"))
	require.ErrorContains(t, err, "--etcd-endpoints is empty")
	_, err = load(t, map[string]string{"RTMANAGER_ETCD_ENDPOINTS": ","})
	require.ErrorContains(t, err, `--etcd-endpoints: "" is not a client URL`)
	c, err := load(t, map[string]string{"RTMANAGER_ETCD_ENDPOINTS": ""})
	require.NoError(t, err)
	require.True(t, c.HasEmbeddedEtcd())
}
