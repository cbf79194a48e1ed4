package embeddedetcd

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// Config specifies where a member stores its data and where it listens. Only DataDir is
// required; the zero value of every other field means the default that its comment names.
type Config struct {
	// DataDir is the directory of all files of the member. Start creates it with mode
	// 0700.
	DataDir string
	// ListenClientURL is the URL for etcd clients such as etcdctl: http and a loopback
	// host, unix:///PATH of a socket that only this user can open, or https with
	// ClientTLS. Port 0 means any free port. Default http://127.0.0.1:2379.
	ListenClientURL string
	// ListenPeerURL is the URL for other members, with the same rules and PeerTLS; a single
	// member has none. Default http://127.0.0.1:0.
	ListenPeerURL string
	// ClientTLS and PeerTLS are the files of https URLs.
	ClientTLS, PeerTLS TLSFiles
	// Insecure allows a host that other machines can reach without client certificates.
	Insecure bool
	// Cluster makes the member one of a cluster in a network; nil runs a single member.
	Cluster *Cluster
	// ClusterToken names the cluster that the data belongs to. Start fails if the data
	// directory belongs to another cluster. Default "rtmanager".
	ClusterToken string
	// QuotaBytes is the size of the database at which etcd becomes read-only. Default
	// 8 GiB.
	QuotaBytes int64
	// DiskReserveBytes is the free space of the disk below which the member accepts no
	// writes; at least 20 MiB. Default 64 MiB, and at most a tenth of the file system.
	DiskReserveBytes int64
	// CompactionRetention is how long old revisions are available, and so how long a
	// watch can be disconnected and still resume. Default 10 min.
	CompactionRetention time.Duration
	// TickInterval is the heartbeat interval of etcd. ElectionTimeout is how long a
	// member waits for a leader before it campaigns, at least five ticks. A campaign of a
	// single member disturbs no other, so both are short. Defaults 100 ms and 500 ms. A member of a
	// cluster uses the timing of the cluster instead.
	TickInterval, ElectionTimeout time.Duration
	// IsTemporary means that the data is a copy that is removed after its use: it is not
	// synced to the disk.
	IsTemporary bool
	// StartTimeout bounds Start, including the replay of the log. Default 2 min. It
	// does not bound how long a member of a cluster waits for the others.
	StartTimeout time.Duration
	// StopTimeout bounds Close. Default 15 s.
	StopTimeout time.Duration
	// Logger receives the log of etcd; nil discards it.
	Logger *zap.Logger
}

// defaultReserveBytes is the default of Config.DiskReserveBytes.
const defaultReserveBytes = 64 << 20

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
		if err := setting.validate(c.Insecure); err != nil {
			faults = append(faults, err)
		}
	}
	if c.Cluster != nil {
		faults = append(faults, c.Cluster.validate()...)
	}
	if c.QuotaBytes < 0 {
		faults = append(faults, fmt.Errorf("quota of %d bytes must not be negative", c.QuotaBytes))
	}
	if c.DiskReserveBytes < 0 {
		faults = append(faults, fmt.Errorf("disk reserve of %d bytes must not be negative", c.DiskReserveBytes))
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
