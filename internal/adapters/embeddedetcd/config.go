package embeddedetcd

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"go.uber.org/zap"

	"galaxy/rtmanager/internal/loopback"
)

// Config specifies where a member stores its data and where it listens. Only DataDir is
// required; the zero value of every other field means the default that its comment names.
type Config struct {
	// DataDir is the directory of all files of the member. Start creates it with mode
	// 0700.
	DataDir string
	// ListenClientURL is the URL for etcd clients such as etcdctl: http and a loopback
	// host, since there is neither TLS nor authentication. Port 0 means any free port.
	// Default http://127.0.0.1:2379.
	ListenClientURL string
	// ListenPeerURL is the URL for other members; a single member has none. Default
	// http://127.0.0.1:0.
	ListenPeerURL string
	// ClusterToken names the cluster that the data belongs to. Start fails if the data
	// directory belongs to another cluster. Default "rtmanager".
	ClusterToken string
	// QuotaBytes is the size of the database at which etcd becomes read-only. Default
	// 8 GiB.
	QuotaBytes int64
	// CompactionRetention is how long old revisions are available, and so how long a
	// watch can be disconnected and still resume. Default 10 min.
	CompactionRetention time.Duration
	// TickInterval is the heartbeat interval of etcd. ElectionTimeout is how long a
	// member waits for a leader before it campaigns, at least five ticks. A campaign of a
	// single member disturbs no other, so both are short. Defaults 100 ms and 500 ms.
	TickInterval, ElectionTimeout time.Duration
	// StartTimeout bounds Start, including the replay of the log. Default 2 min.
	StartTimeout time.Duration
	// StopTimeout bounds Close. Default 15 s.
	StopTimeout time.Duration
	// Logger receives the log of etcd; nil discards it.
	Logger *zap.Logger
}

func (c Config) withDefaults() Config {
	c.ListenClientURL = cmp.Or(c.ListenClientURL, "http://127.0.0.1:2379")
	c.ListenPeerURL = cmp.Or(c.ListenPeerURL, "http://127.0.0.1:0")
	c.ClusterToken = cmp.Or(c.ClusterToken, "rtmanager")
	c.QuotaBytes = cmp.Or(c.QuotaBytes, 8<<30)
	c.CompactionRetention = cmp.Or(c.CompactionRetention, 10*time.Minute)
	c.TickInterval = cmp.Or(c.TickInterval, 100*time.Millisecond)
	c.ElectionTimeout = cmp.Or(c.ElectionTimeout, 500*time.Millisecond)
	c.StartTimeout = cmp.Or(c.StartTimeout, 2*time.Minute)
	c.StopTimeout = cmp.Or(c.StopTimeout, 15*time.Second)
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return c
}

// validate returns all invalid settings at once.
func (c Config) validate() error {
	var faults []error
	if c.DataDir == "" {
		faults = append(faults, &ConfigError{Field: FieldDataDir, Err: errors.New("a data directory is required")})
	}
	for _, setting := range c.listenSettings() {
		if err := setting.validate(); err != nil {
			faults = append(faults, err)
		}
	}
	if c.QuotaBytes < 0 {
		faults = append(faults, fmt.Errorf("quota of %d bytes must not be negative", c.QuotaBytes))
	}
	if c.CompactionRetention < time.Second {
		faults = append(faults, fmt.Errorf("compaction retention %v is too short; use 1s or more", c.CompactionRetention))
	}
	if c.TickInterval < time.Millisecond || c.ElectionTimeout < 5*c.TickInterval || c.ElectionTimeout > 50*time.Second {
		faults = append(faults, fmt.Errorf("election timeout %v must be at least 5 ticks of %v, and at most 50s", c.ElectionTimeout, c.TickInterval))
	}
	if c.StartTimeout < 0 || c.StopTimeout < 0 {
		faults = append(faults, errors.New("timeouts must not be negative"))
	}
	return errors.Join(faults...)
}

func (c Config) listenSettings() []listenSetting {
	return []listenSetting{{FieldListenClientURL, "client", c.ListenClientURL}, {FieldListenPeerURL, "peer", c.ListenPeerURL}}
}

// listenSetting is a URL to listen on and the field of Config that contains it.
type listenSetting struct{ field, name, url string }

func (l listenSetting) validate() error {
	invalid := func(reason string) error {
		return &ConfigError{Field: l.field, Err: fmt.Errorf("%s URL %q %s", l.name, l.url, reason)}
	}
	u, err := url.Parse(l.url)
	switch {
	case err != nil:
		return invalid("is not a URL such as http://127.0.0.1:2379")
	case u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return invalid("must be http://HOST:PORT and nothing more")
	case !loopback.IsHost(u.Hostname()):
		return invalid("can be reached from other machines, but embedded etcd has neither TLS nor authentication; use 127.0.0.1, [::1] or localhost")
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
		return invalid("needs a port from 0 to 65535")
	}
	return nil
}

// hostPort returns HOST:PORT of a valid URL.
func (l listenSetting) hostPort() string {
	u, err := url.Parse(l.url)
	if err != nil {
		return l.url
	}
	return net.JoinHostPort(u.Hostname(), u.Port())
}
