package cli_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/embed"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// startMembers starts three etcd members in three regions, and returns the address of a daemon
// that knows them.
func startMembers(t *testing.T) (cluster *etcdtest.Cluster, server string) {
	t.Helper()
	cluster = etcdtest.StartCluster(t, 3, func(cfg *embed.Config) {
		cfg.Name = map[string]string{"m1": "eu/eu-1", "m2": "us/us-1", "m3": "ap/ap-1"}[cfg.Name]
	})
	members := etcdcluster.NewInspector(cluster.InProcess(0), etcdcluster.Options{IsOwn: true, Timeout: time.Second, ProofTime: time.Second})
	handler, _, err := servertest.New(memstore.New(), servertest.Config{Config: httpserver.Config{Region: "eu", Node: "eu-1", Members: members}})
	require.NoError(t, err)
	return cluster, serveHandler(t, handler.Handler())
}

// awaitStatus waits until the status starts with the text.
func awaitStatus(t *testing.T, server, want string) (r result) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		r = run(t, server, "cluster", "status")
		require.Contains(c, r.out, want, r.err)
	}, time.Minute, 100*time.Millisecond)
	return r
}

// A member is lost and replaced.
func TestReplaceALostMember(t *testing.T) {
	t.Parallel()
	cluster, server := startMembers(t)
	r := awaitStatus(t, server, "3 members, 1 may be lost (cluster ")
	require.Contains(t, r.out, "eu/eu-1  ")
	require.Contains(t, r.out, "leader")
	require.Empty(t, r.err)
	r = run(t, server, "cluster", "members")
	require.Contains(t, r.out, cluster.Endpoint(1))
	r = run(t, server, "cluster", "replace", "us/us-1", "--yes")
	r.requireCode(t, 3, "a member that responds")
	require.Contains(t, r.err, "it responds, and a replacement is for a member that is lost")
	require.Contains(t, r.err, "hint: --force removes it nevertheless")
	r = run(t, server, "cluster", "remove", "us/us-9", "--yes")
	r.requireCode(t, 4, "an unknown member")
	require.Contains(t, r.err, `no member "us/us-9" in the cluster; its members are ap/ap-1, eu/eu-1, us/us-1`)

	r = run(t, server, "cluster", "remove", "ap/ap-1", "--dry-run")
	r.requireCode(t, 0, "a dry run of a removal")
	require.NotContains(t, r.err, "running game")
	record := `{"game_id": "a", "status": "running", "region": "ap", "node": "ap-1", "current_container_id": "c1", "created_at": "2026-01-01T00:00:00Z", "last_op_at": "2026-01-01T00:00:00Z", "started_at": "2026-01-01T00:00:00Z"}`
	run(t, server, "put", "-f", writeFile(t, "a.json", record)).requireCode(t, 0, "put a record")
	r = run(t, server, "cluster", "remove", "ap/ap-1", "--dry-run")
	r.requireCode(t, 0, "a dry run of a removal")
	require.Contains(t, r.err, "warning: 1 running game on node ap/ap-1: they continue")

	cluster.Stop(1)
	r = awaitStatus(t, server, "3 members, 2 respond, none may be lost")
	require.Contains(t, r.out, "us/us-1  unknown   no response")
	require.Contains(t, r.err, "warning: us/us-1: does not respond; start its daemon, or replace it")
	r = run(t, server, "cluster", "remove", "ap/ap-1", "--yes", "--force")
	r.requireCode(t, 3, "a removal that loses quorum")
	require.Contains(t, r.err, "the cluster would lose its quorum, since of the others us/us-1 does not respond")
	run(t, server, "cluster", "replace", "us/us-1").requireCode(t, 2, "without a confirmation")

	r = run(t, server, "cluster", "replace", "us/us-1", "--dry-run")
	r.requireCode(t, 0, "a dry run")
	require.Contains(t, r.out, "member us/us-1 would be removed: 2 members, none may be lost")
	require.Contains(t, r.err, "before: 3 members, 2 respond, none may be lost; after: 2 members, none may be lost")
	r = run(t, server, "cluster", "replace", "us/us-1", "--yes", "--host", "10.0.2.9")
	r.requireCode(t, 0, "the replacement")
	urls := []string{cluster.Endpoint(0), cluster.Endpoint(2)}
	if urls[1] < urls[0] {
		urls[0], urls[1] = urls[1], urls[0]
	}
	require.Contains(t, r.out, "rtmanager cluster cert issue --dir pki --node us/us-1 --host 10.0.2.9\n")
	require.Contains(t, r.out, "rtmanager serve --cluster-join "+strings.Join(urls, ",")+" --certs /etc/rtmanager --region us --node us-1 --listen 10.0.2.9:8080\n")
	r = awaitStatus(t, server, "2 members, none may be lost")
	require.Contains(t, r.err, "2 members tolerate no more losses than 1")
}

// Without a quorum the status shows what the member has stored, and a removal is rejected.
func TestStatusWithoutAQuorum(t *testing.T) {
	t.Parallel()
	cluster, server := startMembers(t)
	cluster.Stop(1)
	cluster.Stop(2)
	r := awaitStatus(t, server, "3 members, no quorum: 1 of 2 required respond")
	r.requireCode(t, 5, "no quorum")
	require.Contains(t, r.err, "warning: no quorum confirms this list; it is the one that the member of eu/eu-1 has stored")
	require.Contains(t, r.err, "start the daemons that do not, or restore a backup")
	r = run(t, server, "cluster", "remove", "us/us-1", "--yes")
	r.requireCode(t, 5, "a removal")
	require.Contains(t, r.err, "etcd has no quorum")
	r = run(t, server, "cluster", "members", "-o", "json")
	var members api.ClusterMembers
	require.NoError(t, json.Unmarshal([]byte(r.out), &members))
	require.True(t, members.Local)
	require.Len(t, members.Members, 3)
	require.Equal(t, -1, members.Quorum.MayBeLost)
}
