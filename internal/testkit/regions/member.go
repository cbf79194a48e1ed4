package regions

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"golang.org/x/crypto/bcrypt"

	"galaxy/rtmanager/internal/testkit/netns"
	"galaxy/rtmanager/internal/testkit/network"
)

// memberVariable is the environment variable by which a test program becomes an etcd
// member.
const memberVariable = "REGIONS_ETCD_MEMBER"

// memberConfig configures an etcd member.
type memberConfig struct {
	Name, Dir, PeerURL, ClientURL, InitialCluster string
	Addr                                          string // on which it listens
	HasJoined                                     bool   // joins a cluster that exists
	QuotaBytes                                    int64  // 0 means the default of etcd
	IsFast                                        bool   // has timing for regions without delays
	IsSynced                                      bool   // syncs its files; others are faster
}

// MemberOption changes how the members of Start are run.
type MemberOption func(*memberConfig)

// Quota limits the space of each member. Beyond it etcd raises an alarm and rejects every put.
func Quota(bytes int64) MemberOption {
	return func(c *memberConfig) { c.QuotaBytes = bytes }
}

// Synced lets members sync their files, as etcd does by default. Without it they wait for no disk.
func Synced() MemberOption {
	return func(c *memberConfig) { c.IsSynced = true }
}

// MemberIn puts the data of the member of the region into an empty directory, such as a small
// file system.
func MemberIn(region, dir string) MemberOption {
	return func(c *memberConfig) {
		if c.Name == region {
			c.Dir = dir
		}
	}
}

// Main runs the tests of a package, or an etcd member if a test started this program as
// one. Its result is for os.Exit.
func Main(m *testing.M) int {
	encoded, isMember := os.LookupEnv(memberVariable)
	if !isMember {
		defer binaries.remove()
		return m.Run()
	}
	fmt.Fprintln(os.Stderr, "etcd member:", runMember(encoded))
	return 1
}

// runMember runs an etcd member. It prints the addresses on which the member listens, and
// returns only if the member fails.
func runMember(encoded string) error {
	var member memberConfig
	if err := json.Unmarshal([]byte(encoded), &member); err != nil {
		return err
	}
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir, cfg.InitialCluster = member.Name, member.Dir, member.InitialCluster
	anyPort := url.URL{Scheme: "http", Host: net.JoinHostPort(member.Addr, "0")}
	cfg.ListenPeerUrls, cfg.ListenClientUrls = []url.URL{anyPort}, []url.URL{anyPort}
	for urls, text := range map[*[]url.URL]string{&cfg.AdvertisePeerUrls: member.PeerURL, &cfg.AdvertiseClientUrls: member.ClientURL} {
		parsed, err := url.Parse(text)
		if err != nil {
			return err
		}
		*urls = []url.URL{*parsed}
	}
	// About one round trip for heartbeats and ten for elections, as etcd recommends.
	cfg.TickMs, cfg.ElectionMs = 150, 2000
	if member.IsFast {
		cfg.TickMs, cfg.ElectionMs = 100, 1000 // the defaults of etcd, for one region
	}
	cfg.QuotaBackendBytes = member.QuotaBytes
	cfg.BcryptCost = uint(bcrypt.MinCost) // the passwords of a test are no secrets
	if member.HasJoined {
		cfg.ClusterState = embed.ClusterStateFlagExisting
	}
	cfg.UnsafeNoFsync = !member.IsSynced
	logger, err := zap.NewProduction()
	if err != nil {
		return err
	}
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(logger)
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	fmt.Printf("listening peer=%s client=%s\n", etcd.Peers[0].Addr(), etcd.Clients[0].Addr())
	return <-etcd.Err()
}

// server is what runs the member of a region: a process of its own, or a daemon.
type server interface {
	// start starts the server with its data. It returns before the member has a leader.
	start() error
	running() *process
}

// member is an etcd member that is a process of its own.
type member struct {
	tb           testing.TB
	network      *network.Network
	region       string
	config       memberConfig
	peer, client *network.Proxy
	host         *netns.Host // nil if it is on this machine
	process      atomic.Pointer[process]
}

// start implements server.
func (m *member) start() error {
	encoded, err := json.Marshal(m.config)
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0]) //nolint:gosec,noctx // this very program
	cmd.Env = append(os.Environ(), memberVariable+"="+string(encoded))
	started, err := startProcess(m.tb, m.network, m.region, m.host, cmd)
	if err != nil {
		return err
	}
	m.process.Store(started)
	listening, err := started.pairs("listening")
	if err != nil {
		return err
	}
	m.peer.SetTarget(listening["peer"])
	m.client.SetTarget(listening["client"])
	return nil
}

func (m *member) running() *process { return m.process.Load() }
