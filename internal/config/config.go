package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"galaxy/rtmanager/internal/logging"
)

// Config is every setting of the daemon. Default returns one that works on a single
// machine.
type Config struct {
	// DataDir is the directory of the embedded etcd's data and of the process engine's
	// games. Default rtmanager in the user's data directory (XDG_DATA_HOME).
	DataDir string
	// Listen is the HOST:PORT of the API; port 0 selects a free one. Default
	// 127.0.0.1:8080.
	Listen string
	// Insecure allows a Listen address that other machines can reach, although the API
	// lacks TLS or authentication. It has no effect on a loopback address.
	Insecure bool
	Certs
	Security
	OIDC
	Secrets
	Audit
	Archive
	Backup
	Limits

	// EtcdEndpoints are the client URLs of an existing etcd cluster. Empty embeds an
	// etcd member in this process.
	EtcdEndpoints []string
	// EtcdPrefix is the prefix of every key. Default empty.
	EtcdPrefix string
	// EtcdCACert, EtcdCert and EtcdKey are files: the CA certificate that verifies
	// EtcdEndpoints, and the client certificate and its key.
	EtcdCACert, EtcdCert, EtcdKey string
	// EtcdUser and the content of EtcdPasswordFile authenticate this daemon to the
	// cluster; empty means no authentication.
	EtcdUser, EtcdPasswordFile string
	// EtcdDialTimeout is how long the daemon waits for EtcdEndpoints when it starts.
	// Default 15 s.
	EtcdDialTimeout time.Duration

	EtcdListen
	Cluster
	// EtcdClusterToken is the name of the cluster that DataDir belongs to. Default
	// rtmanager.
	EtcdClusterToken string
	// EtcdQuotaBytes is the size in bytes at which the embedded database becomes
	// read-only; at least 1 MiB. Default 8 GiB.
	EtcdQuotaBytes int64
	// DiskReserve is the free space in bytes of the disk of DataDir below which the
	// embedded etcd becomes read-only; at least 20 MiB. 0 means 64 MiB, or a tenth of a
	// disk of less than 640 MiB.
	DiskReserve int64
	// EtcdRetention is how long the embedded etcd keeps old revisions, and so how long
	// a watch may be disconnected and still resume; at least 1 s. Default 10 min.
	EtcdRetention time.Duration

	// Region and Node identify this daemon. Default local and the host name.
	Region, Node string
	// RenameFrom is the former REGION/NODE of this node, whose games it takes over. Empty
	// means that the node was not renamed.
	RenameFrom string
	// Federate are the other stores that this daemon federates: NAME=URL of each, followed by
	// the further URLs of its daemons in the order of preference. Default none.
	Federate []string
	// Engine is the engine that runs games: an Engine constant. Default EngineAuto.
	Engine string
	NodeManager
	Placement

	// LogLevel is debug, info, warn or error; LogFormat is a logging.Format constant.
	// Default info and auto.
	LogLevel, LogFormat string
}

// The engines. EngineAuto selects Docker if it is available, and otherwise local
// processes; EngineNone runs no games.
const (
	EngineAuto    = "auto"
	EngineDocker  = "docker"
	EngineProcess = "process"
	EngineNone    = "none"
)

// engineNames returns the names of the engines.
func engineNames() []string { return []string{EngineAuto, EngineDocker, EngineProcess, EngineNone} }

// Default returns the default settings. Some depend on the host name and on the user's
// data directory.
func Default() Config {
	node, err := os.Hostname()
	if err != nil {
		node = "localhost"
	}
	return Config{
		DataDir:          defaultDataDir(),
		Listen:           "127.0.0.1:8080",
		Security:         defaultSecurity(),
		OIDC:             defaultOIDC(),
		Audit:            defaultAudit(),
		Backup:           defaultBackup(),
		EtcdDialTimeout:  15 * time.Second,
		Cluster:          defaultCluster(),
		EtcdClusterToken: "rtmanager",
		EtcdQuotaBytes:   8 << 30,
		EtcdRetention:    10 * time.Minute,
		Region:           "local",
		Node:             node,
		Engine:           EngineAuto,
		NodeManager:      defaultNodeManager(),
		LogLevel:         "info",
		LogFormat:        logging.FormatAuto,
	}
}

// defaultDataDir follows the XDG base directory specification. It returns an empty string
// for a user without a home directory; --data-dir is then required.
func defaultDataDir() string {
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "rtmanager")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "share", "rtmanager")
}

// HasEmbeddedEtcd reports whether the daemon embeds etcd.
func (c Config) HasEmbeddedEtcd() bool { return len(c.EtcdEndpoints) == 0 }

// Level returns the level of LogLevel.
func (c Config) Level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return 0, fmt.Errorf("--log-level %q is not a log level; use debug, info, warn or error", c.LogLevel)
	}
	return level, nil
}
