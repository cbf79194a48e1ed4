package embeddedetcd_test

import (
	"crypto/x509/pkix"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/testkit/certtest"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/tcptest"
)

// copyOf returns a host with a copy of the directory, at other addresses.
func copyOf(t *testing.T, other *host) *host {
	t.Helper()
	h := newHost(t, other.cfg.Cluster.Name)
	require.NoError(t, os.RemoveAll(h.cfg.DataDir))
	require.NoError(t, os.CopyFS(h.cfg.DataDir, os.DirFS(other.cfg.DataDir)))
	return h
}

func TestDirectoriesThatAMemberRejects(t *testing.T) {
	t.Parallel()
	hosts := cluster(t, "eu/1", "us/1")
	eu, us := hosts[0], hosts[1]

	t.Run("copy of a member that runs", func(t *testing.T) {
		copied := copyOf(t, us)
		require.ErrorContains(t, copied.startError(t), "is a copy: member us/1")
	})
	t.Run("copy, as another member", func(t *testing.T) {
		copied := copyOf(t, us)
		copied.cfg.Cluster.Name = "ap/1"
		require.ErrorContains(t, copied.startError(t), "belongs to member us/1, not ap/1")
	})
	t.Run("copy of an earlier version of the directory that runs", func(t *testing.T) {
		copied := copyOf(t, us)
		path := filepath.Join(copied.cfg.DataDir, "cluster.json")
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		text = []byte(string(text[:len(text)-len("}\n")]) + `, "client_url": "http://127.0.0.1:1"}`)
		require.NoError(t, os.WriteFile(path, text, 0o600))
		require.ErrorContains(t, copied.startError(t), "is a copy: member us/1", "the other members know where it runs")
	})
	t.Run("copy that advertises the same addresses", func(t *testing.T) { // as two machines behind one DNS name do
		copied := copyOf(t, us)
		copied.cfg.Cluster.AdvertiseClientURL, copied.cfg.Cluster.AdvertisePeerURL = us.cfg.ListenClientURL, us.cfg.ListenPeerURL
		require.ErrorContains(t, copied.startError(t), "is a copy: member us/1")
	})
	t.Run("data of one member, cluster.json of another", func(t *testing.T) {
		mixed := copyOf(t, us)
		require.NoError(t, os.RemoveAll(filepath.Join(mixed.cfg.DataDir, "etcd")))
		require.NoError(t, os.CopyFS(filepath.Join(mixed.cfg.DataDir, "etcd"), os.DirFS(filepath.Join(eu.cfg.DataDir, "etcd"))))
		require.ErrorContains(t, mixed.startError(t), "one of them was copied from another directory")
	})
	t.Run("init with the directory of a member that has joined", func(t *testing.T) {
		copied := copyOf(t, us)
		copied.cfg.Cluster.Init = true
		require.ErrorContains(t, copied.startError(t), "which has joined cluster")
	})
	t.Run("join with the directory of the first member", func(t *testing.T) {
		copied := copyOf(t, eu)
		copied.cfg.Cluster.Join = []string{us.cfg.ListenClientURL}
		require.ErrorContains(t, copied.startError(t), "has records of its own")
	})
	t.Run("a single member with the directory of a member that has joined", func(t *testing.T) {
		copied := copyOf(t, us)
		copied.cfg.Cluster = nil
		require.ErrorContains(t, copied.startError(t), "belongs to member us/1 of cluster")
	})
	t.Run("init in the place of a member that has lost its disk", func(t *testing.T) {
		us.stop(t)
		lost := newHost(t, "us/1")
		lost.cfg.ListenPeerURL, lost.cfg.ListenClientURL = us.cfg.ListenPeerURL, us.cfg.ListenClientURL
		lost.cfg.Cluster.Init = true
		require.ErrorContains(t, lost.startError(t), "it would start a second cluster")
	})
	t.Run("join in the place of a member that has lost its disk", func(t *testing.T) {
		us.start(t)
		us.awaitReady(t)
		lost := newHost(t, "us/1")
		lost.cfg.Cluster.Join = []string{eu.cfg.ListenClientURL}
		require.ErrorContains(t, lost.startError(t), "the cluster has a member us/1")
	})
}

func TestFormerDirectoryOfAMemberIsRejected(t *testing.T) {
	t.Parallel()
	hosts := cluster(t, "eu/1", "us/1")
	eu, us := hosts[0], hosts[1]
	us.stop(t)
	relocated := copyOf(t, us)
	relocated.start(t)
	relocated.awaitReady(t)
	// The machine that it has left boots, and starts its daemon with the old directory.
	require.ErrorContains(t, us.startError(t), "is a copy: member us/1")
	relocated.put(t, "key")
	eu.requireKeys(t, "key")
}

func TestClustersThatAMemberRejects(t *testing.T) {
	t.Parallel()
	first, second := initialize(t, "eu/1"), initialize(t, "us/1")
	h := newHost(t, "ap/1")
	join := func(urls ...string) embeddedetcd.Config {
		cfg := h.cfg
		settings := *cfg.Cluster
		settings.Join = urls
		cfg.Cluster = &settings
		return cfg
	}
	t.Run("of another token", func(t *testing.T) {
		cfg := join(first.cfg.ListenClientURL)
		cfg.ClusterToken = "other"
		require.ErrorContains(t, startError(t, cfg), `form cluster "rtmanager", not "other"`)
	})
	t.Run("two at the same time", func(t *testing.T) {
		require.ErrorContains(t, startError(t, join(first.cfg.ListenClientURL, second.cfg.ListenClientURL)), "of members of different clusters")
	})
	t.Run("an etcd of another program", func(t *testing.T) {
		require.ErrorContains(t, startError(t, join(etcdtest.Start(t).Endpoint())), "not embedded in daemons of rtmanager")
	})
	t.Run("one that other machines cannot reach", func(t *testing.T) {
		cfg := join(first.cfg.ListenClientURL)
		cfg.Cluster.AdvertisePeerURL = "http://192.0.2.1:2380"
		require.ErrorContains(t, startError(t, cfg), "which other machines cannot reach")
	})
	entries, err := fs.Glob(os.DirFS(h.cfg.DataDir), "*")
	require.NoError(t, err)
	require.NotContains(t, entries, "cluster.json", "a rejected join leaves no data")
	require.Len(t, first.list(t).List, 1)
}

// secure gives the host certificates of the authority.
func (h *host) secure(t *testing.T, authority *certtest.Authority) {
	t.Helper()
	dir := t.TempDir()
	cert, key := authority.Issue(t, pkix.Name{CommonName: h.cfg.Cluster.Name}).Write(t, dir)
	files := embeddedetcd.TLSFiles{Cert: cert, Key: key, CA: authority.Write(t, dir)}
	h.cfg.ClientTLS, h.cfg.PeerTLS, h.cfg.Cluster.TLS = files, files, files
	h.cfg.ListenClientURL = "https" + h.cfg.ListenClientURL[len("http"):]
	h.cfg.ListenPeerURL = "https" + h.cfg.ListenPeerURL[len("http"):]
}

func TestMembersWithCertificates(t *testing.T) {
	t.Parallel()
	authority := certtest.NewAuthority(t, "cluster")
	first := newHost(t, "eu/1")
	first.secure(t, authority)
	first.cfg.Cluster.Init = true
	first.start(t)
	first.awaitReady(t)

	foreign := newHost(t, "us/1")
	foreign.secure(t, certtest.NewAuthority(t, "another cluster"))
	foreign.cfg.Cluster.Join = []string{first.cfg.ListenClientURL}
	require.ErrorContains(t, foreign.startError(t), "must be issued by the authority of the cluster")

	misplaced := newHost(t, "us/1")
	misplaced.secure(t, authority)
	misplaced.cfg.Cluster.Join = []string{first.cfg.ListenClientURL}
	misplaced.cfg.Cluster.AdvertisePeerURL = "https://192.0.2.1:2380"
	require.ErrorContains(t, misplaced.startError(t), "cannot be used at https://192.0.2.1:2380")
	require.Len(t, first.list(t).List, 1)

	second := newHost(t, "us/1")
	second.secure(t, authority)
	second.cfg.Cluster.Join = []string{first.cfg.ListenClientURL, second.cfg.ListenClientURL}
	second.start(t)
	second.awaitReady(t)
	second.put(t, "key")
	first.requireKeys(t, "key")

	copied := copyOf(t, second)
	copied.secure(t, authority)
	require.ErrorContains(t, copied.startError(t), "is a copy: member us/1")
}

func TestSingleMemberRejectsACopyOfARunningDirectory(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	start(t, cfg)
	copied := cfg
	copied.DataDir = t.TempDir()
	require.NoError(t, os.CopyFS(copied.DataDir, os.DirFS(cfg.DataDir)))
	require.ErrorContains(t, startError(t, copied), "is a copy: member rtmanager")
}

func TestInvalidSettingsOfAClusterMember(t *testing.T) {
	t.Parallel()
	for want, cluster := range map[string]embeddedetcd.Cluster{
		"cannot be the name of a member":  {Name: "eu/a,b"},
		"cannot both start a cluster and": {Name: "eu/1", Init: true, Join: []string{"http://127.0.0.1:1"}},
		"is not http://HOST:PORT":         {Name: "eu/1", AdvertisePeerURL: "127.0.0.1:1"},
	} {
		cfg := config(t.TempDir())
		cfg.Cluster = &cluster
		require.ErrorContains(t, startError(t, cfg), want)
	}
	cfg := config(t.TempDir())
	cfg.ListenPeerURL, cfg.Insecure = "http://0.0.0.0:"+strconv.Itoa(tcptest.UnusedPort(t)), true
	cfg.Cluster = &embeddedetcd.Cluster{Name: "eu/1", Init: true}
	require.ErrorContains(t, startError(t, cfg), "name the address of this host")
}

// An earlier copy lacks entries that the member has confirmed since. Only the leader can detect that.
func TestEarlierCopyOfADirectoryIsNotUsed(t *testing.T) {
	t.Parallel()
	hosts := cluster(t, "eu/1", "us/1", "ap/1")
	eu, us := hosts[0], hosts[1]
	us.stop(t)
	earlier := copyOf(t, us)
	earlier.cfg.ListenClientURL, earlier.cfg.ListenPeerURL = us.cfg.ListenClientURL, us.cfg.ListenPeerURL
	us.start(t)
	us.awaitReady(t)
	us.put(t, "key")
	us.stop(t)

	p := earlier.startProcess(t)
	require.False(t, <-p.ready)
	p.kill()
	require.Contains(t, p.stderr.String(), embeddedetcd.ErrOldData.Error())
	eu.requireKeys(t, "key")
}
