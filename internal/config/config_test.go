package config_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
)

// validConfig returns valid settings, on any machine.
func validConfig() config.Config {
	c := config.Default()
	c.DataDir = "data"
	return c
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	c := validConfig()
	require.NoError(t, c.Validate())
	require.True(t, c.HasEmbeddedEtcd())
	require.Equal(t, "127.0.0.1:8080", c.Listen)
	require.NotEmpty(t, c.Node, "the node is the host name")
	level, err := c.Level()
	require.NoError(t, err)
	require.Equal(t, slog.LevelInfo, level)
}

func TestDataDirIsInTheUsersDataDirectory(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	t.Setenv("XDG_DATA_HOME", "")
	require.Equal(t, "/home/ada/.local/share/rtmanager", config.Default().DataDir)
	t.Setenv("XDG_DATA_HOME", "/srv/data")
	require.Equal(t, "/srv/data/rtmanager", config.Default().DataDir)
	t.Setenv("XDG_DATA_HOME", "relative")
	require.Equal(t, "/home/ada/.local/share/rtmanager", config.Default().DataDir, "XDG ignores a relative directory")
	t.Setenv("HOME", "")
	require.Empty(t, config.Default().DataDir)
	require.ErrorContains(t, config.Default().Validate(), "--data-dir is empty; set the directory")
}

// Each change makes one setting invalid. The error names its flag.
func TestErrorsNameTheirFlag(t *testing.T) {
	t.Parallel()
	external := func(c *config.Config) { c.EtcdEndpoints = []string{"https://10.0.0.1:2379"} }
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"no port":            {func(c *config.Config) { c.Listen = "127.0.0.1" }, `--listen "127.0.0.1" is not HOST:PORT`},
		"named port":         {func(c *config.Config) { c.Listen = "127.0.0.1:http" }, `"http" is not a port from 0 to 65535`},
		"large port":         {func(c *config.Config) { c.Listen = "127.0.0.1:65536" }, `"65536" is not a port`},
		"every address":      {func(c *config.Config) { c.Listen = ":8080" }, `--listen ":8080" can be reached from other machines`},
		"every IPv4 address": {func(c *config.Config) { c.Listen = "0.0.0.0:8080" }, "or --insecure"},
		"another host":       {func(c *config.Config) { c.Listen = "example.com:8080" }, "can be reached from other machines"},

		"no data dir":     {func(c *config.Config) { c.DataDir = "" }, "--data-dir is empty"},
		"member URL":      {func(c *config.Config) { c.EtcdListenClient = "127.0.0.1:2379" }, `--etcd-listen-client "127.0.0.1:2379" is not http://HOST:PORT`},
		"member https":    {func(c *config.Config) { c.EtcdListenPeer = "https://127.0.0.1:0" }, `--etcd-listen-peer "https://127.0.0.1:0" is not http://HOST:PORT`},
		"member beyond":   {func(c *config.Config) { c.EtcdListenClient = "http://0.0.0.0:0" }, `--etcd-listen-client "http://0.0.0.0:0" can be reached`},
		"member no port":  {func(c *config.Config) { c.EtcdListenClient = "http://127.0.0.1" }, "--etcd-listen-client \"http://127.0.0.1\" requires a port"},
		"member no host":  {func(c *config.Config) { c.EtcdListenClient = "http://:2379" }, `"http://:2379" is not http://HOST:PORT`},
		"no token":        {func(c *config.Config) { c.EtcdClusterToken = "" }, "--etcd-cluster-token is empty"},
		"negative quota":  {func(c *config.Config) { c.EtcdQuotaBytes = -1 }, "--etcd-quota-bytes -1 is too small; use 1048576"},
		"tiny quota":      {func(c *config.Config) { c.EtcdQuotaBytes = 4096 }, "--etcd-quota-bytes 4096 is too small"},
		"no retention":    {func(c *config.Config) { c.EtcdRetention = 0 }, "--etcd-retention 0s is too short"},
		"TLS of nothing":  {func(c *config.Config) { c.EtcdCACert = "ca.pem" }, "require --etcd-endpoints"},
		"user of nothing": {func(c *config.Config) { c.EtcdUser, c.EtcdPasswordFile = "u", "f" }, "require --etcd-endpoints"},

		"endpoint no scheme": {func(c *config.Config) { c.EtcdEndpoints = []string{"10.0.0.1:2379"} }, `--etcd-endpoints: "10.0.0.1:2379" is not a client URL such as`},
		"endpoint no port":   {func(c *config.Config) { c.EtcdEndpoints = []string{"http://10.0.0.1"} }, `"http://10.0.0.1" is not a client URL`},
		"endpoint port 0":    {func(c *config.Config) { c.EtcdEndpoints = []string{"http://10.0.0.1:0"} }, `"http://10.0.0.1:0" is not a client URL`},
		"endpoint big port":  {func(c *config.Config) { c.EtcdEndpoints = []string{"http://10.0.0.1:65536"} }, `"http://10.0.0.1:65536" is not a client URL`},
		"endpoint path":      {func(c *config.Config) { c.EtcdEndpoints = []string{"http://10.0.0.1:2379/eu"} }, `"http://10.0.0.1:2379/eu" is not a client URL`},
		"endpoint empty":     {func(c *config.Config) { c.EtcdEndpoints = []string{""} }, `"" is not a client URL`},
		"second endpoint":    {func(c *config.Config) { external(c); c.EtcdEndpoints = append(c.EtcdEndpoints, "x") }, `"x" is not a client URL`},
		"mixed endpoints": {func(c *config.Config) {
			c.EtcdEndpoints = []string{"http://10.0.0.1:2379", "https://10.0.0.2:2379"}
		}, "--etcd-endpoints mix http and https"},
		"TLS over http": {func(c *config.Config) {
			c.EtcdEndpoints, c.EtcdCACert = []string{"http://10.0.0.1:2379"}, "ca.pem"
		}, "have no effect on --etcd-endpoints with http; use https"},
		"certificate only": {func(c *config.Config) { external(c); c.EtcdCert = "c.pem" }, "--etcd-cert and --etcd-key must be set together"},
		"password only":    {func(c *config.Config) { external(c); c.EtcdPasswordFile = "f" }, "--etcd-user and --etcd-password-file must be set together"},
		"no dial timeout":  {func(c *config.Config) { c.EtcdDialTimeout = 0 }, "--etcd-dial-timeout 0s must be positive"},
		"prefix":           {func(c *config.Config) { c.EtcdPrefix = "/a\nb" }, `--etcd-prefix "/a\nb" contains a control character`},

		"no node":        {func(c *config.Config) { c.Node = "" }, "--node is empty"},
		"unknown engine": {func(c *config.Config) { c.Engine = "podman" }, `--engine "podman" is not an engine; use one of auto, docker, process, none`},
		"no region":      {func(c *config.Config) { c.Region = "" }, "--region is empty; name the region"},
		"nowhere to run": {func(c *config.Config) { external(c); c.DataDir, c.Engine = "", config.EngineProcess }, "--data-dir is empty; set the directory of the process engine's games"},
		"endpoint":       {func(c *config.Config) { c.DockerEndpoint = "moon" }, `--docker-endpoint "moon" is neither published nor container`},
		"advertise":      {func(c *config.Config) { c.Advertise = "10.0.0.7:8080" }, `--advertise "10.0.0.7:8080" is not a URL`},
		"advertise all":  {func(c *config.Config) { c.Advertise = "http://0.0.0.0:8080" }, `--advertise "http://0.0.0.0:8080" is not an address that other nodes can reach`},
		"docker address": {func(c *config.Config) { c.DockerAddress = "localhost" }, `--docker-address "localhost" is not an IP address`},
		"state dir":      {func(c *config.Config) { c.DockerStateDir = "state" }, `--docker-state-dir "state" must be absolute`},
		"no processes":   {func(c *config.Config) { c.DockerPidsLimit = 0 }, "--docker-pids-limit 0 must be 1 or more"},
		"docker memory":  {func(c *config.Config) { c.DockerMemoryBytes = -1 }, "--docker-memory-bytes -1 is less than 6291456"},
		"little memory":  {func(c *config.Config) { c.DockerMemoryBytes = 6<<20 - 1 }, "--docker-memory-bytes 6291455 is less than 6291456"},
		"docker user":    {func(c *config.Config) { c.DockerUser = "root" }, `--docker-user "root" is not two numbers, UID:GID`},
		"user's group":   {func(c *config.Config) { c.DockerUser = "1:-1" }, `--docker-user "1:-1" is not`},
		"host network":   {func(c *config.Config) { c.DockerNetwork = "host" }, `--docker-network "host" is not a network that games may join`},
		"a container's":  {func(c *config.Config) { c.DockerNetwork = "container:x" }, `--docker-network "container:x" is not`},
		"allowed host":   {func(c *config.Config) { c.DockerAllowNetwork = []string{"x", "host"} }, `--docker-allow-network "host" is not`},
		"allowed none":   {func(c *config.Config) { c.DockerAllowNetwork = []string{"none"} }, `--docker-allow-network "none" is not`},
		"allowed empty":  {func(c *config.Config) { c.DockerAllowNetwork = []string{""} }, `--docker-allow-network "" is not`},
		"short TTL":      {func(c *config.Config) { c.NodeTTL = time.Second }, "--node-ttl 1s is not from 2s to 1h"},
		"grace":          {func(c *config.Config) { c.NodeLostGrace = -1 }, "--node-lost-grace -1ns must not be negative"},
		"reconcile":      {func(c *config.Config) { c.ReconcileEvery = 0 }, "--reconcile-every 0s is too short"},
		"health":         {func(c *config.Config) { c.HealthEvery = 0 }, "--health-every 0s is too short"},
		"cleanup":        {func(c *config.Config) { c.CleanupAfter = -1 }, "--cleanup-after -1ns must not be negative"},
		"brake":          {func(c *config.Config) { c.BrakeShare = 0 }, "--brake-share 0 is not more than 0"},
		"log level":      {func(c *config.Config) { c.LogLevel = "loud" }, `--log-level "loud" is not a log level; use debug, info, warn or error`},
		"log format":     {func(c *config.Config) { c.LogFormat = "xml" }, `--log-format "xml" is not a log format; use one of auto, text, json`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := validConfig()
			c.change(&settings)
			err := settings.Validate()
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n", "one change must cause one error")
		})
	}
}

func TestValidSettings(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config.Config){
		"free port":         func(c *config.Config) { c.Listen = "127.0.0.1:0" },
		"IPv6 loopback":     func(c *config.Config) { c.Listen = "[::1]:8080" },
		"mapped loopback":   func(c *config.Config) { c.Listen = "[::ffff:127.0.0.1]:8080" },
		"localhost":         func(c *config.Config) { c.Listen, c.EtcdListenClient = "localhost:0", "http://localhost:0/" },
		"insecure":          func(c *config.Config) { c.Listen, c.Insecure = "0.0.0.0:8080", true },
		"no engine":         func(c *config.Config) { c.Engine = config.EngineNone },
		"no region":         func(c *config.Config) { c.Region, c.Engine = "", config.EngineNone },
		"never clean up":    func(c *config.Config) { c.CleanupAfter = 0 },
		"advertised":        func(c *config.Config) { c.Advertise = "http://eu-1.example:8080/" },
		"prefix":            func(c *config.Config) { c.EtcdPrefix = "/eu/games/" },
		"https endpoints":   func(c *config.Config) { c.EtcdEndpoints = []string{"https://a:1", "https://[::1]:2/"} },
		"data dir not used": func(c *config.Config) { c.EtcdEndpoints, c.DataDir = []string{"http://a:1"}, "" },
		"debug":             func(c *config.Config) { c.LogLevel, c.LogFormat = "DEBUG", "text" },
		"long retention":    func(c *config.Config) { c.EtcdRetention = 24 * time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := validConfig()
			change(&settings)
			require.NoError(t, settings.Validate())
		})
	}
}

func TestEveryErrorIsReported(t *testing.T) {
	t.Parallel()
	c := validConfig()
	c.Listen, c.DataDir, c.EtcdListenClient, c.EtcdQuotaBytes, c.Node, c.Engine, c.LogLevel = "x", "", "x", 0, "", "x", "x"
	err := c.Validate()
	for _, flag := range []string{"--listen", "--data-dir", "--etcd-listen-client", "--etcd-quota-bytes", "--node", "--engine", "--log-level"} {
		require.ErrorContains(t, err, flag)
	}
	require.Equal(t, 7, len(strings.Split(err.Error(), "\n")), "errors:\n%v", err)
}

// A password in a URL does not reach an error message.
func TestPasswordsAreRedacted(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"http://ada:secret@10.0.0.1:2379", "ada:secret@10.0.0.1:2379", "http://ada:secret@10.0.0.1:x",
		"http://ada:sec ret@10.0.0.1:2379", "http://ada:secret@secret@10.0.0.1:2379",
	} {
		c := validConfig()
		c.EtcdEndpoints = []string{url}
		c.EtcdListenClient = url
		err := c.Validate()
		require.ErrorContains(t, err, "@10.0.0.1:", "%s must be recognizable", url)
		require.NotContains(t, err.Error(), "sec", "error for %s", url)
		c.EtcdEndpoints = nil
		err = c.Validate()
		require.ErrorContains(t, err, "--etcd-listen-client")
		require.NotContains(t, err.Error(), "sec", "error for %s", url)
	}
}
