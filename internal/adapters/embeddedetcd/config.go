package embeddedetcd

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"go.uber.org/zap"

	"galaxy/rtmanager/internal/loopback"
)

// Config says where a member keeps its data and where it listens. Only DataDir
// is required; every other zero value means the default named beside it.
type Config struct {
	// DataDir is the directory that holds everything; it is created with mode
	// 0700.
	DataDir string
	// ListenClientURL serves etcd clients such as etcdctl: http and a loopback
	// host, since there is neither TLS nor authentication. Port 0 takes a free
	// one. Default http://127.0.0.1:2379.
	ListenClientURL string
	// ListenPeerURL is for other members, of which a single one has none.
	// Default http://127.0.0.1:0.
	ListenPeerURL string
	// ClusterToken names the cluster the data belongs to; a directory of
	// another one is refused. Default "rtmanager".
	ClusterToken string
	// QuotaBytes is the size of the database at which etcd turns read-only.
	// Default 8 GiB.
	QuotaBytes int64
	// CompactionRetention is how long old revisions are kept, and so how long a
	// watch may be away and still resume. Default 10 min.
	CompactionRetention time.Duration
	// TickInterval is etcd's heartbeat, and ElectionTimeout, at least five times
	// as long, how long a member waits before it stands for leader. A single
	// member disturbs nobody, so both are short. Defaults 100 ms and 500 ms.
	TickInterval, ElectionTimeout time.Duration
	// StartTimeout bounds Start, replay of the log included. Default 2 min.
	StartTimeout time.Duration
	// StopTimeout bounds Close. Default 15 s.
	StopTimeout time.Duration
	// Logger takes etcd's own log; nil is silence.
	Logger *zap.Logger
}

func (c Config) withDefaults() Config {
	if c.ListenClientURL == "" {
		c.ListenClientURL = "http://127.0.0.1:2379"
	}
	if c.ListenPeerURL == "" {
		c.ListenPeerURL = "http://127.0.0.1:0"
	}
	if c.ClusterToken == "" {
		c.ClusterToken = "rtmanager"
	}
	if c.QuotaBytes == 0 {
		c.QuotaBytes = 8 << 30
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	orDefault := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	orDefault(&c.CompactionRetention, 10*time.Minute)
	orDefault(&c.TickInterval, 100*time.Millisecond)
	orDefault(&c.ElectionTimeout, 500*time.Millisecond)
	orDefault(&c.StartTimeout, 2*time.Minute)
	orDefault(&c.StopTimeout, 15*time.Second)
	return c
}

// validate returns all faults at once.
func (c Config) validate() error {
	var faults []error
	if c.DataDir == "" {
		faults = append(faults, errors.New("a data directory is required (--data-dir)"))
	}
	for _, listen := range c.listens() {
		if err := listen.validate(); err != nil {
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
		faults = append(faults, fmt.Errorf("election timeout %v must be 5 to many ticks of %v, and at most 50s", c.ElectionTimeout, c.TickInterval))
	}
	if c.StartTimeout < 0 || c.StopTimeout < 0 {
		faults = append(faults, errors.New("timeouts must not be negative"))
	}
	return errors.Join(faults...)
}

func (c Config) listens() []listen {
	return []listen{{"--etcd-listen-client", c.ListenClientURL}, {"--etcd-listen-peer", c.ListenPeerURL}}
}

// listen is an address to listen on and the flag that an operator sets it with.
type listen struct{ flag, url string }

func (l listen) validate() error {
	refuse := func(why string) error { return fmt.Errorf("%s %q %s", l.flag, l.url, why) }
	u, err := url.Parse(l.url)
	switch {
	case err != nil:
		return refuse("is not a URL; write it like http://127.0.0.1:2379")
	case u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return refuse("must be http://HOST:PORT and nothing more")
	case !loopback.IsHost(u.Hostname()):
		return refuse("listens beyond this machine, but embedded etcd has neither TLS nor authentication; use 127.0.0.1, [::1] or localhost")
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
		return refuse("needs a port from 0 to 65535")
	}
	return nil
}

// host returns HOST:PORT of a valid URL.
func (l listen) host() string {
	u, err := url.Parse(l.url)
	if err != nil {
		return l.url
	}
	return net.JoinHostPort(u.Hostname(), u.Port())
}
