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

// withTLS sets the files of a TLS certificate. Validate does not open them.
func withIssuer(c *config.Config) {
	c.OIDCIssuer, c.OIDCClientID, c.Auth = "https://login.example.com", "rtmanager", config.AuthOn
}

func withTLS(c *config.Config) { c.TLSCert, c.TLSKey = "tls.crt", "tls.key" }

// Without authentication there are no limits by default: all programs of a machine share
// one address.
func TestEffectiveLimits(t *testing.T) {
	t.Parallel()
	c := validConfig()
	require.Equal(t, config.Limits{}, c.EffectiveLimits(100))
	c.LimitRate, c.LimitConnections = 5, 6
	require.Equal(t, config.Limits{LimitRate: 5, LimitConnections: 6}, c.EffectiveLimits(100))
	c.Auth = config.AuthOn
	c.LimitStreams = -1
	require.Equal(t, config.Limits{LimitRate: 5, LimitWriteRate: 2000, LimitConcurrency: 1000, LimitConnections: 6}, c.EffectiveLimits(100))
	c.LimitConnections = 0
	require.Equal(t, int64(50), c.EffectiveLimits(100).LimitConnections)
	require.Equal(t, int64(1), c.EffectiveLimits(1).LimitConnections)
}

func TestAuthenticationFollowsTLS(t *testing.T) {
	t.Parallel()
	for auth, want := range map[string]struct{ plain, tls bool }{
		config.AuthAuto: {false, true}, config.AuthOn: {true, true}, config.AuthOff: {false, false},
	} {
		c := validConfig()
		c.Auth = auth
		require.Equal(t, want.plain, c.AuthEnabled(), "--auth %s over http", auth)
		withTLS(&c)
		require.Equal(t, want.tls, c.AuthEnabled(), "--auth %s over https", auth)
	}
	require.False(t, config.Default().AuthEnabled())
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

		"exposed, tokens in the clear": {func(c *config.Config) { c.Listen, c.Auth = ":8080", "on" }, "credentials would be sent to it without encryption"},
		"exposed, auth off":            {func(c *config.Config) { withTLS(c); c.Listen, c.Auth = ":8080", "off" }, `--auth off lets each of them change every game`},
		"certificate without key":      {func(c *config.Config) { c.TLSCert = "c" }, "--tls-cert and --tls-key must be set together"},
		"key without certificate":      {func(c *config.Config) { c.TLSKey = "k" }, "--tls-cert and --tls-key must be set together"},
		"client CA of http":            {func(c *config.Config) { c.TLSClientCA = "ca" }, "--tls-client-ca has no effect without --tls-cert"},
		"auth mode":                    {func(c *config.Config) { c.Auth = "maybe" }, `--auth "maybe" is not a mode of authentication; use one of auto, on, off`},
		"advertised http":              {func(c *config.Config) { withTLS(c); c.Advertise = "http://eu-1:8080" }, `--advertise "http://eu-1:8080" is http`},

		"issuer in the clear":       {func(c *config.Config) { withIssuer(c); c.OIDCIssuer = "http://login.example.com" }, `--oidc-issuer "http://login.example.com" uses http`},
		"issuer with user":          {func(c *config.Config) { withIssuer(c); c.OIDCIssuer = "https://u:pw@login.example.com" }, `--oidc-issuer "https://…@login.example.com" is not a URL`},
		"issuer without client id":  {func(c *config.Config) { withIssuer(c); c.OIDCClientID = "" }, "--oidc-issuer requires --oidc-client-id"},
		"issuer without effect":     {func(c *config.Config) { withIssuer(c); c.Auth = "off" }, "--oidc-issuer has no effect while clients need not prove"},
		"client id without issuer":  {func(c *config.Config) { c.OIDCClientID = "rtmanager" }, "require --oidc-issuer"},
		"small audit file":          {func(c *config.Config) { c.AuditMaxBytes = 1 }, "--audit-max-bytes 1 is too small"},
		"one audit file":            {func(c *config.Config) { c.AuditMaxFiles = 1 }, "--audit-max-files 1 is too small"},
		"short backup interval":     {func(c *config.Config) { c.BackupInterval = time.Second }, "--backup-interval 1s is too short; use at least 1m0s"},
		"no backup kept":            {func(c *config.Config) { c.BackupKeep = 0 }, "--backup-keep 0 is too small"},
		"archive in the clear":      {func(c *config.Config) { c.ArchiveURL = "http://u:pw@example.com/secret" }, "--archive-url would send events to example.com without encryption"},
		"webhook without host":      {func(c *config.Config) { c.AuditWebhook = "https:///secret" }, "--audit-webhook is not a URL such as"},
		"webhook without scheme":    {func(c *config.Config) { c.AuditWebhook = "example.com/secret" }, "--audit-webhook is not a URL such as"},
		"webhook in the clear":      {func(c *config.Config) { c.AuditWebhook = "http://u:pw@example.com/secret" }, "--audit-webhook would send events to example.com without encryption"},
		"negative limit":            {func(c *config.Config) { c.LimitStreams = -2 }, "--limit-streams -2 is negative"},
		"claim without name":        {func(c *config.Config) { withIssuer(c); c.OIDCUsernameClaim = "" }, "--oidc-username-claim is empty"},
		"groups claim without name": {func(c *config.Config) { withIssuer(c); c.OIDCGroupsClaim = "" }, "--oidc-groups-claim is empty"},

		"no data dir":  {func(c *config.Config) { c.DataDir = "" }, "--data-dir is empty"},
		"member URL":   {func(c *config.Config) { c.EtcdListenClient = "127.0.0.1:2379" }, `--etcd-listen-client "127.0.0.1:2379" is not http://HOST:PORT`},
		"member https": {func(c *config.Config) { c.EtcdListenPeer = "https://127.0.0.1:0" }, `--etcd-listen-peer "https://127.0.0.1:0" requires --etcd-peer-cert and --etcd-peer-key`},
		"member half":  {func(c *config.Config) { c.EtcdListenCert = "c" }, "--etcd-listen-cert and --etcd-listen-key must be set together"},
		"member files": {func(c *config.Config) { c.EtcdListenCert, c.EtcdListenKey = "c", "k" }, "--etcd-listen-cert, --etcd-listen-key and --etcd-listen-client-ca require an https URL in --etcd-listen-client"},
		"member CA":    {func(c *config.Config) { c.EtcdListenPeer, c.EtcdPeerCA = "http://127.0.0.1:0", "ca" }, "require an https URL in --etcd-listen-peer"},
		"member one-way": {func(c *config.Config) {
			c.EtcdListenClient, c.EtcdListenCert, c.EtcdListenKey = "https://0.0.0.0:2379", "c", "k"
		}, "use https with --etcd-listen-client-ca"},
		"member by name":   {func(c *config.Config) { c.EtcdListenClient = "http://etcd.example:2379" }, "needs an IP address of this machine or localhost"},
		"relative socket":  {func(c *config.Config) { c.EtcdListenClient = "unix://run/etcd.sock" }, "unix:///PATH"},
		"socket files":     {func(c *config.Config) { c.EtcdListenClient, c.EtcdListenClientCA = "unix:///run/etcd.sock", "ca" }, "require an https URL"},
		"member beyond":    {func(c *config.Config) { c.EtcdListenClient = "http://0.0.0.0:0" }, `--etcd-listen-client "http://0.0.0.0:0" can be reached`},
		"member no port":   {func(c *config.Config) { c.EtcdListenClient = "http://127.0.0.1" }, "--etcd-listen-client \"http://127.0.0.1\" requires a port"},
		"member no host":   {func(c *config.Config) { c.EtcdListenClient = "http://:2379" }, `"http://:2379" is not http://HOST:PORT`},
		"no token":         {func(c *config.Config) { c.EtcdClusterToken = "" }, "--etcd-cluster-token is empty"},
		"negative quota":   {func(c *config.Config) { c.EtcdQuotaBytes = -1 }, "--etcd-quota-bytes -1 is too small; use 1048576"},
		"negative reserve": {func(c *config.Config) { c.DiskReserve = -1 }, "--disk-reserve -1 must not be negative"},
		"tiny quota":       {func(c *config.Config) { c.EtcdQuotaBytes = 4096 }, "--etcd-quota-bytes 4096 is too small"},
		"no retention":     {func(c *config.Config) { c.EtcdRetention = 0 }, "--etcd-retention 0s is too short"},
		"TLS of nothing":   {func(c *config.Config) { c.EtcdCACert = "ca.pem" }, "require --etcd-endpoints"},
		"user of nothing":  {func(c *config.Config) { c.EtcdUser, c.EtcdPasswordFile = "u", "f" }, "require --etcd-endpoints"},

		"endpoint no scheme": {func(c *config.Config) { c.EtcdEndpoints = []string{"10.0.0.1:2379"} }, `--etcd-endpoints: "10.0.0.1:2379" is not a client URL such as`},
		"endpoint no port":   {func(c *config.Config) { c.EtcdEndpoints = []string{"http://10.0.0.1"} }, `"http://10.0.0.1" is not a client URL`},
		"endpoint port 0":    {func(c *config.Config) { c.EtcdEndpoints = []string{"http://10.0.0.1:0"} }, `"http://10.0.0.1:0" is not a client URL`},
		"endpoint big port":  {func(c *config.Config) { c.EtcdEndpoints = []string{"http://10.0.0.1:65536"} }, `"http://10.0.0.1:65536" is not a client URL`},
		"endpoint path":      {func(c *config.Config) { c.EtcdEndpoints = []string{"http://10.0.0.1:2379/eu"} }, `"http://10.0.0.1:2379/eu" is not a client URL`},
		"endpoint empty":     {func(c *config.Config) { c.EtcdEndpoints = []string{""} }, `"" is not a client URL`},
		"second endpoint":    {func(c *config.Config) { external(c); c.EtcdEndpoints = append(c.EtcdEndpoints, "x") }, `"x" is not a client URL`},
		"mixed endpoints": {func(c *config.Config) {
			c.EtcdEndpoints = []string{"http://10.0.0.1:2379", "https://10.0.0.2:2379"}
		}, "--etcd-endpoints mix http, https and unix"},
		"TLS over http": {func(c *config.Config) {
			c.EtcdEndpoints, c.EtcdCACert = []string{"http://10.0.0.1:2379"}, "ca.pem"
		}, "have no effect on --etcd-endpoints without https; use https"},
		"certificate only": {func(c *config.Config) { external(c); c.EtcdCert = "c.pem" }, "--etcd-cert and --etcd-key must be set together"},
		"password only":    {func(c *config.Config) { external(c); c.EtcdPasswordFile = "f" }, "--etcd-user and --etcd-password-file must be set together"},
		"no dial timeout":  {func(c *config.Config) { c.EtcdDialTimeout = 0 }, "--etcd-dial-timeout 0s must be positive"},
		"prefix":           {func(c *config.Config) { c.EtcdPrefix = "/a\nb" }, `--etcd-prefix "/a\nb" contains a control character`},
		"prefix as a name": {func(c *config.Config) { c.EtcdPrefix = "eu/" }, `--etcd-prefix "eu/" does not start with a slash, and would be another store than /eu; use /eu`},
		"prefix in family": {func(c *config.Config) { c.EtcdPrefix = "/eu/runtimes" }, `is inside the keys /eu/runtimes/ of the store with the prefix "/eu"`},
		"empty segment":    {func(c *config.Config) { c.EtcdPrefix = "/eu//games" }, "contains an empty segment"},

		"former name":     {func(c *config.Config) { c.RenameFrom = "old" }, `--rename-from "old" is not REGION/NODE`},
		"same name":       {func(c *config.Config) { c.RenameFrom = c.Region + "/" + c.Node }, "is the present name of this node"},
		"rename nowhere":  {func(c *config.Config) { external(c); c.DataDir, c.RenameFrom = "", "a/b" }, "--rename-from needs --data-dir"},
		"no node":         {func(c *config.Config) { c.Node = "" }, "--node is empty"},
		"unknown engine":  {func(c *config.Config) { c.Engine = "podman" }, `--engine "podman" is not an engine; use one of auto, docker, process, none`},
		"no region":       {func(c *config.Config) { c.Region = "" }, "--region is empty; name the region"},
		"nowhere to run":  {func(c *config.Config) { external(c); c.DataDir, c.Engine = "", config.EngineProcess }, "--data-dir is empty; set the directory of the process engine's games"},
		"endpoint":        {func(c *config.Config) { c.DockerEndpoint = "moon" }, `--docker-endpoint "moon" is neither published nor container`},
		"advertise":       {func(c *config.Config) { c.Advertise = "10.0.0.7:8080" }, `--advertise "10.0.0.7:8080" is not a URL`},
		"advertise all":   {func(c *config.Config) { c.Advertise = "http://0.0.0.0:8080" }, `--advertise "http://0.0.0.0:8080" is not an address that other nodes can reach`},
		"docker address":  {func(c *config.Config) { c.DockerAddress = "localhost" }, `--docker-address "localhost" is not an IP address`},
		"game ports":      {func(c *config.Config) { c.GamePorts = "9-8" }, `--game-ports "9-8" is not a range of ports from 1 to 65535, such as 20000-29999`},
		"public port":     {func(c *config.Config) { c.PublicAddress = "game.example:80" }, `--public-address "game.example:80" is neither an IP address nor a DNS name`},
		"public URL":      {func(c *config.Config) { c.PublicAddress = "http://game.example" }, `--public-address "http://game.example" is neither`},
		"public brackets": {func(c *config.Config) { c.PublicAddress = "[::1]" }, `--public-address "[::1]" is neither`},
		"public all":      {func(c *config.Config) { c.PublicAddress = "::" }, `--public-address "::" is not an address that players can reach`},
		"public zone":     {func(c *config.Config) { c.PublicAddress = "fe80::1%eth0" }, `--public-address "fe80::1%eth0" is not an address`},
		"state dir":       {func(c *config.Config) { c.DockerStateDir = "state" }, `--docker-state-dir "state" must be absolute`},
		"no processes":    {func(c *config.Config) { c.DockerPidsLimit = 0 }, "--docker-pids-limit 0 must be 1 or more"},
		"docker memory":   {func(c *config.Config) { c.DockerMemoryBytes = -1 }, "--docker-memory-bytes -1 is less than 6291456"},
		"little memory":   {func(c *config.Config) { c.DockerMemoryBytes = 6<<20 - 1 }, "--docker-memory-bytes 6291455 is less than 6291456"},
		"docker user":     {func(c *config.Config) { c.DockerUser = "root" }, `--docker-user "root" is not two numbers, UID:GID`},
		"user's group":    {func(c *config.Config) { c.DockerUser = "1:-1" }, `--docker-user "1:-1" is not`},
		"host network":    {func(c *config.Config) { c.DockerNetwork = "host" }, `--docker-network "host" is not a network that games may join`},
		"a container's":   {func(c *config.Config) { c.DockerNetwork = "container:x" }, `--docker-network "container:x" is not`},
		"allowed host":    {func(c *config.Config) { c.DockerAllowNetwork = []string{"x", "host"} }, `--docker-allow-network "host" is not`},
		"allowed none":    {func(c *config.Config) { c.DockerAllowNetwork = []string{"none"} }, `--docker-allow-network "none" is not`},
		"allowed empty":   {func(c *config.Config) { c.DockerAllowNetwork = []string{""} }, `--docker-allow-network "" is not`},
		"capacity CPUs":   {func(c *config.Config) { c.CapacityCPUs = -2 }, "--capacity-cpus -2 is not a number of CPUs"},
		"capacity memory": {func(c *config.Config) { c.CapacityMemory = "much" }, `--capacity-memory "much" is not a size such as 16GiB`},
		"capacity games":  {func(c *config.Config) { c.CapacityGames = -1 }, "--capacity-games -1 is negative"},
		"node label":      {func(c *config.Config) { c.NodeLabels = []string{"disk"} }, `--node-labels "disk" is not KEY=VALUE`},
		"node label key":  {func(c *config.Config) { c.NodeLabels = []string{"a b=c"} }, `--node-labels "a b=c": key "a b"`},
		"node taint":      {func(c *config.Config) { c.NodeTaints = []string{"gpu=yes:Never"} }, `--node-taints "gpu=yes:Never" is not KEY=VALUE:NoSchedule`},
		"short TTL":       {func(c *config.Config) { c.NodeTTL = time.Second }, "--node-ttl 1s is not from 2s to 1h"},
		"grace":           {func(c *config.Config) { c.NodeLostGrace = -1 }, "--node-lost-grace -1ns must not be negative"},
		"reconcile":       {func(c *config.Config) { c.ReconcileEvery = 0 }, "--reconcile-every 0s is too short"},
		"health":          {func(c *config.Config) { c.HealthEvery = 0 }, "--health-every 0s is too short"},
		"retention":       {func(c *config.Config) { c.RemovedRetention = -1 }, "--removed-retention -1ns must not be negative"},
		"cleanup":         {func(c *config.Config) { c.CleanupAfter = -1 }, "--cleanup-after -1ns must not be negative"},
		"brake":           {func(c *config.Config) { c.BrakeShare = 0 }, "--brake-share 0 is not more than 0"},
		"log level":       {func(c *config.Config) { c.LogLevel = "loud" }, `--log-level "loud" is not a log level; use debug, info, warn or error`},
		"log format":      {func(c *config.Config) { c.LogFormat = "xml" }, `--log-format "xml" is not a log format; use one of auto, text, json`},
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
		"exposed with TLS":  func(c *config.Config) { withTLS(c); c.Listen = "0.0.0.0:8080" },
		"auth on":           func(c *config.Config) { withTLS(c); c.Listen, c.Auth = ":8080", "on" },
		"local tokens":      func(c *config.Config) { c.Auth = "on" },
		"open to the world": func(c *config.Config) { withTLS(c); c.Listen, c.Auth, c.Insecure = ":8080", "off", true },
		"local webhook":     func(c *config.Config) { c.AuditWebhook = "http://127.0.0.1:9000/events?token=t" },
		"insecure webhook":  func(c *config.Config) { c.AuditWebhook, c.Insecure = "http://collector:9000", true },
		"no limits":         func(c *config.Config) { c.LimitRate, c.LimitStreams, c.LimitConnections = -1, -1, -1 },
		"insecure":          func(c *config.Config) { c.Listen, c.Insecure = "0.0.0.0:8080", true },
		"no engine":         func(c *config.Config) { c.Engine = config.EngineNone },
		"no region":         func(c *config.Config) { c.Region, c.Engine = "", config.EngineNone },
		"never delete":      func(c *config.Config) { c.RemovedRetention = 0 },
		"never clean up":    func(c *config.Config) { c.CleanupAfter = 0 },
		"advertised":        func(c *config.Config) { c.Advertise = "http://eu-1.example:8080/" },
		"prefix":            func(c *config.Config) { c.EtcdPrefix = "/eu/games/" },
		"https endpoints":   func(c *config.Config) { c.EtcdEndpoints = []string{"https://a:1", "https://[::1]:2/"} },
		"data dir not used": func(c *config.Config) { c.EtcdEndpoints, c.DataDir = []string{"http://a:1"}, "" },
		"member socket":     func(c *config.Config) { c.EtcdListenClient = "unix:///run/etcd.sock" },
		"member exposed": func(c *config.Config) {
			c.EtcdListenClient, c.EtcdListenCert, c.EtcdListenKey, c.EtcdListenClientCA = "https://0.0.0.0:2379", "c", "k", "ca"
		},
		"member insecure":  func(c *config.Config) { c.EtcdListenClient, c.Insecure = "http://0.0.0.0:2379", true },
		"socket endpoints": func(c *config.Config) { c.EtcdEndpoints = []string{"unix:///run/etcd.sock"} },
		"debug":            func(c *config.Config) { c.LogLevel, c.LogFormat = "DEBUG", "text" },
		"long retention":   func(c *config.Config) { c.EtcdRetention = 24 * time.Hour },
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

// A port of the embedded etcd bypasses the authentication of the API: every program of the
// machine can use it.
func TestEtcdListensOnSocketsWithAuthentication(t *testing.T) {
	t.Parallel()
	c := validConfig()
	require.Equal(t, "http://127.0.0.1:2379", c.EtcdClientURL())
	require.Equal(t, "http://127.0.0.1:0", c.EtcdPeerURL())
	c.DataDir = "/var/lib/rtmanager"
	withTLS(&c)
	require.Equal(t, "unix:///var/lib/rtmanager/run/etcd.sock", c.EtcdClientURL())
	require.Equal(t, "unix:///var/lib/rtmanager/run/peer.sock", c.EtcdPeerURL())
	c.EtcdListenClient = "http://127.0.0.1:1"
	require.Equal(t, "http://127.0.0.1:1", c.EtcdClientURL(), "the operator may choose otherwise")
}
