// Package config holds the daemon's settings: what there is to set, where it
// may be set, and what cannot work.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/logging"
	"galaxy/rtmanager/internal/loopback"
)

// Config is every setting of the daemon. Default gives one that works on a
// single machine without any.
type Config struct {
	// DataDir holds the embedded etcd's data, and what the process engine keeps of
	// its games.
	DataDir string
	// Listen is HOST:PORT of the API; port 0 takes a free one.
	Listen string
	// Insecure allows Listen to be reached from other machines, although the API
	// has neither TLS nor authentication. It changes nothing for a loopback address.
	Insecure bool

	// EtcdEndpoints are the client URLs of an etcd cluster that exists. None
	// means an etcd member embedded in this process.
	EtcdEndpoints []string
	// EtcdPrefix goes before every key.
	EtcdPrefix string
	// EtcdCACert, EtcdCert and EtcdKey are files: the authority that EtcdEndpoints
	// are checked against, and the certificate and key shown to them.
	EtcdCACert, EtcdCert, EtcdKey string
	// EtcdUser and the content of EtcdPasswordFile are what the cluster knows this
	// daemon by; empty is nobody.
	EtcdUser, EtcdPasswordFile string
	// EtcdDialTimeout is how long a start waits for EtcdEndpoints to answer.
	EtcdDialTimeout time.Duration

	// EtcdListenClient and EtcdListenPeer are where the embedded member listens:
	// http and a loopback host; port 0 takes a free one.
	EtcdListenClient, EtcdListenPeer string
	// EtcdClusterToken names the cluster that DataDir belongs to.
	EtcdClusterToken string
	// EtcdQuotaBytes is the size of the embedded database at which it turns
	// read-only, in bytes; at least 1 MiB.
	EtcdQuotaBytes int64
	// EtcdRetention is how long old revisions are kept, and so how long a watch
	// may be away and still resume; at least 1 s.
	EtcdRetention time.Duration

	// Region and Node say who this daemon is. Node is the host's name by default.
	Region, Node string
	// Engine is what runs games: auto takes the best there is, none is none.
	Engine string
	Manager

	// LogLevel is debug, info, warn or error; LogFormat is auto, text or json.
	LogLevel, LogFormat string
}

// The words of Engine.
const (
	EngineAuto    = "auto"
	EngineDocker  = "docker"
	EngineProcess = "process"
	EngineNone    = "none"
)

func engines() []string { return []string{EngineAuto, EngineDocker, EngineProcess, EngineNone} }

// Default returns the settings of a daemon that nobody has told anything. Of the
// machine it reads the host's name and where this user keeps data.
func Default() Config {
	node, err := os.Hostname()
	if err != nil {
		node = "localhost"
	}
	return Config{
		DataDir:          defaultDataDir(),
		Listen:           "127.0.0.1:8080",
		EtcdDialTimeout:  15 * time.Second,
		EtcdListenClient: "http://127.0.0.1:2379",
		EtcdListenPeer:   "http://127.0.0.1:0",
		EtcdClusterToken: "rtmanager",
		EtcdQuotaBytes:   8 << 30,
		EtcdRetention:    10 * time.Minute,
		Region:           "local",
		Node:             node,
		Engine:           EngineAuto,
		Manager:          defaultManager(),
		LogLevel:         "info",
		LogFormat:        logging.FormatAuto,
	}
}

// defaultDataDir follows the XDG base directory specification. It returns
// nothing for a user without a home, who has to name a directory.
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

// Embedded reports whether the daemon keeps etcd in its own process.
func (c Config) Embedded() bool { return len(c.EtcdEndpoints) == 0 }

// Level returns the level of LogLevel.
func (c Config) Level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return 0, fmt.Errorf("--log-level %q is not a level; use debug, info, warn or error", c.LogLevel)
	}
	return level, nil
}

// Validate returns nil for settings that can work together, and otherwise every
// fault at once, each naming its flag.
func (c Config) Validate() error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	faults = append(faults, c.validateListen())
	if c.Embedded() {
		faults = append(faults, c.validateEmbedded())
	} else {
		faults = append(faults, c.validateEndpoints())
	}
	fault((c.EtcdCert == "") != (c.EtcdKey == ""), "--etcd-cert and --etcd-key go together")
	fault((c.EtcdUser == "") != (c.EtcdPasswordFile == ""), "--etcd-user and --etcd-password-file go together")
	fault(c.EtcdDialTimeout <= 0, "--etcd-dial-timeout %s must be more than nothing", c.EtcdDialTimeout)
	fault(strings.ContainsFunc(c.EtcdPrefix, func(r rune) bool { return r < ' ' || r == 0x7f }), "--etcd-prefix %q holds a control character", c.EtcdPrefix)
	fault(c.Node == "", "--node is empty; name this daemon")
	fault(!slices.Contains(engines(), c.Engine), "--engine %q is not an engine; use one of %s", c.Engine, strings.Join(engines(), ", "))
	fault(c.Engine != EngineNone && c.Region == "", "--region is empty; name the region this daemon is in")
	fault(c.Engine == EngineProcess && c.DataDir == "", "--data-dir is empty; name a directory for the process engine's games")
	fault(!slices.Contains(logging.Formats(), c.LogFormat), "--log-format %q is not a format; use one of %s", c.LogFormat, strings.Join(logging.Formats(), ", "))
	_, err := c.Level()
	return errors.Join(append(faults, c.validateManager(), err)...)
}

func (c Config) validateListen() error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %q is not HOST:PORT, such as 127.0.0.1:8080", c.Listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("--listen %q: %q is not a port from 0 to 65535", c.Listen, port)
	}
	if !c.Insecure && !loopback.IsHost(host) {
		return fmt.Errorf("--listen %q can be reached from other machines, and the API has neither TLS nor authentication; use a loopback address behind a proxy that has, or --insecure", c.Listen)
	}
	return nil
}
