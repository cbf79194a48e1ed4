package regions

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/testkit/network"
)

// memberVariable is the environment variable by which a test program becomes an etcd
// member.
const memberVariable = "REGIONS_ETCD_MEMBER"

// memberConfig configures an etcd member.
type memberConfig struct {
	Name, Dir, PeerURL, ClientURL, InitialCluster string
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
	loopback := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	cfg.ListenPeerUrls, cfg.ListenClientUrls = []url.URL{loopback}, []url.URL{loopback}
	for urls, text := range map[*[]url.URL]string{&cfg.AdvertisePeerUrls: member.PeerURL, &cfg.AdvertiseClientUrls: member.ClientURL} {
		parsed, err := url.Parse(text)
		if err != nil {
			return err
		}
		*urls = []url.URL{*parsed}
	}
	// About one round trip for heartbeats and ten for elections, as etcd recommends.
	cfg.TickMs, cfg.ElectionMs = 150, 2000
	cfg.UnsafeNoFsync = true
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
	start(tb testing.TB)
	running() *process
}

// member is an etcd member that is a process of its own.
type member struct {
	network      *network.Network
	region       string
	config       memberConfig
	peer, client *network.Proxy
	process      *process
}

// start implements server.
func (m *member) start(tb testing.TB) {
	tb.Helper()
	encoded, err := json.Marshal(m.config)
	require.NoError(tb, err)
	cmd := exec.Command(os.Args[0]) //nolint:gosec,noctx // this very program
	cmd.Env = append(os.Environ(), memberVariable+"="+string(encoded))
	m.process = startProcess(tb, m.network, m.region, cmd)
	listening := m.process.pairs("listening")
	m.peer.SetTarget(listening["peer"])
	m.client.SetTarget(listening["client"])
}

func (m *member) running() *process { return m.process }
