package etcdcluster_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/membership"
	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// timeout is far longer than any step takes.
const timeout = time.Minute

func inspect(t *testing.T, inspector *etcdcluster.Inspector) membership.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	c, err := inspector.Cluster(ctx)
	require.NoError(t, err)
	return c
}

// awaitQuorum waits until the inspector reports the quorum.
func awaitQuorum(t *testing.T, inspector *etcdcluster.Inspector, want string) (c membership.Cluster) {
	t.Helper()
	require.EventuallyWithT(t, func(check *assert.CollectT) {
		c = inspect(t, inspector)
		require.Equal(check, want, c.Quorum().String(), "%+v", c.Members)
		require.Equal(check, c.Quorum().IsLost(), c.IsLocal)
	}, timeout, 50*time.Millisecond)
	return c
}

func TestInspectOneMember(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	c := inspect(t, etcdcluster.NewInspector(client, etcdcluster.Options{IsOwn: true}))
	require.Len(t, c.Members, 1)
	m := c.Members[0]
	require.True(t, m.IsOwn)
	require.Equal(t, membership.RoleLeader, m.Role())
	require.Positive(t, m.DBBytes)
	require.NotEmpty(t, m.Version)
	require.Equal(t, "1 member, none may be lost", c.Quorum().String())
	require.False(t, c.IsLocal)
	_, err := etcdcluster.NewInspector(client, etcdcluster.Options{IsOwn: true}).Remove(t.Context(), membership.RemovalRequest{Name: m.Name, IsForced: true})
	require.ErrorContains(t, err, "it is the last member with a vote")
}

// Members are lost and return one by one, seen by a process that embeds a member, and by one
// with an external etcd.
func TestInspectLostMembers(t *testing.T) {
	t.Parallel()
	cluster := etcdtest.StartCluster(t, 3)
	opts := etcdcluster.Options{Timeout: time.Second}
	external := etcdcluster.NewInspector(cluster.Client(0), opts)
	opts.IsOwn = true
	embedded := etcdcluster.NewInspector(cluster.InProcess(0), opts)
	for name, inspector := range map[string]*etcdcluster.Inspector{"external": external, "embedded": embedded} {
		c := awaitQuorum(t, inspector, "3 members, 1 may be lost")
		leaders := 0
		for _, m := range c.Members {
			require.Empty(t, m.Failure, name)
			require.Equal(t, name == "embedded" && m.ID == cluster.ID(0), m.IsOwn, name)
			require.Positive(t, m.RaftIndex)
			if m.Role() == membership.RoleLeader {
				leaders++
			}
		}
		require.Equal(t, 1, leaders, name)
	}
	id := cluster.ID(2)
	cluster.Stop(2)
	for _, inspector := range []*etcdcluster.Inspector{external, embedded} {
		c := awaitQuorum(t, inspector, "3 members, 2 respond, none may be lost")
		lost, err := c.Find("m3")
		require.NoError(t, err)
		require.Equal(t, id, lost.ID)
		require.Contains(t, lost.Failure, "connection refused")
		require.Equal(t, membership.RoleUnknown, lost.Role())
	}
	cluster.Stop(1)
	for _, inspector := range []*etcdcluster.Inspector{external, embedded} {
		c := awaitQuorum(t, inspector, "3 members, no quorum: 1 of 2 required respond")
		require.Len(t, c.Members, 3, "the member's own list")
		_, err := inspector.Remove(t.Context(), membership.RemovalRequest{Name: "m3", IsForced: true})
		require.ErrorIs(t, err, membership.ErrNoQuorum)
		require.ErrorContains(t, err, "start the daemons of m2, m3, or restore a backup")
	}
	cluster.Restart(1)
	awaitQuorum(t, embedded, "3 members, 2 respond, none may be lost")
}

// hang accepts connections at the addresses of a stopped member, and never responds.
func hang(t *testing.T, addresses ...string) {
	t.Helper()
	for _, address := range addresses {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
	}
}

// A member that hangs delays the report by the timeout, and the others are reported. Its
// replacement is proven to be safe.
func TestHungMemberIsReplaced(t *testing.T) {
	t.Parallel()
	cluster := etcdtest.StartCluster(t, 3)
	inspector := etcdcluster.NewInspector(cluster.InProcess(0), etcdcluster.Options{IsOwn: true, Timeout: time.Second, ProofTime: time.Second})
	awaitQuorum(t, inspector, "3 members, 1 may be lost")
	request := membership.RemovalRequest{Name: "m3", IsReplacement: true}
	_, err := inspector.Remove(t.Context(), request)
	var refused *membership.UnsafeError
	require.ErrorAs(t, err, &refused)
	require.True(t, refused.CanForce)
	require.ErrorContains(t, err, "it responds, and a replacement is for a member that is lost")

	cluster.Stop(2)
	hang(t, cluster.ClientAddress(2), cluster.PeerAddress(2))
	c := awaitQuorum(t, inspector, "3 members, 2 respond, none may be lost")
	hung, err := c.Find("m3")
	require.NoError(t, err)
	require.Contains(t, hung.Failure, "no response within 1s")

	request.IsDryRun = true
	_, err = inspector.Remove(t.Context(), request)
	require.NoError(t, err)
	require.Len(t, inspect(t, inspector).Members, 3, "a dry run changes nothing")
	request.IsDryRun = false
	removal, err := inspector.Remove(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, "2 members, none may be lost", removal.After.String())
	awaitQuorum(t, inspector, "2 members, none may be lost")
	_, err = inspector.Remove(t.Context(), request)
	require.ErrorContains(t, err, `no member "m3" in the cluster; its members are m1, m2`)
}

// A cluster of five members shrinks to one, while clients write.
func TestRemoveMembersOneByOne(t *testing.T) {
	t.Parallel()
	cluster := etcdtest.StartCluster(t, 5)
	client := cluster.InProcess(0)
	inspector := etcdcluster.NewInspector(client, etcdcluster.Options{IsOwn: true})
	awaitQuorum(t, inspector, "5 members, 2 may be lost")
	cluster.Stop(4)
	awaitQuorum(t, inspector, "5 members, 4 respond, 1 may be lost")
	_, err := inspector.Remove(t.Context(), membership.RemovalRequest{Name: "m2"})
	require.ErrorContains(t, err, "it responds, but m5 does not; remove or replace that one first")
	for _, step := range []struct{ name, after string }{
		{"m5", "4 members, 1 may be lost"},
		{"m4", "3 members, 1 may be lost"},
		{"m3", "2 members, none may be lost"},
		{"m2", "1 member, none may be lost"},
	} {
		removal, err := inspector.Remove(t.Context(), membership.RemovalRequest{Name: step.name})
		require.NoError(t, err, step.name)
		require.Equal(t, step.after, removal.After.String())
		awaitQuorum(t, inspector, step.after)
		_, err = client.Put(t.Context(), "/key", step.name)
		require.NoError(t, err)
	}
}

// The leader is removed through another member, and then through itself. Another member becomes
// the leader before that.
func TestRemoveTheLeader(t *testing.T) {
	t.Parallel()
	cluster := etcdtest.StartCluster(t, 3)
	inspectors := make([]*etcdcluster.Inspector, 3)
	for i := range inspectors {
		inspectors[i] = etcdcluster.NewInspector(cluster.InProcess(i), etcdcluster.Options{IsOwn: true})
	}
	leaderOf := func(c membership.Cluster) (index int) {
		for i := range inspectors {
			for _, m := range c.Members {
				if m.IsLeader && m.ID == cluster.ID(i) {
					return i
				}
			}
		}
		require.Fail(t, "no leader", "%+v", c.Members)
		return 0
	}
	leader := leaderOf(awaitQuorum(t, inspectors[0], "3 members, 1 may be lost"))
	other := (leader + 1) % 3
	removal, err := inspectors[other].Remove(t.Context(), membership.RemovalRequest{Name: membership.Member{ID: cluster.ID(leader)}.HexID()})
	require.NoError(t, err)
	require.Contains(t, removal.Warnings, "the member is the leader: another one becomes the leader first")

	next := leaderOf(awaitQuorum(t, inspectors[other], "2 members, none may be lost"))
	require.NotEqual(t, leader, next)
	last := 3 - leader - next
	_, err = inspectors[next].Remove(t.Context(), membership.RemovalRequest{Name: membership.Member{ID: cluster.ID(next)}.HexID()})
	require.NoError(t, err)
	require.Equal(t, last, leaderOf(awaitQuorum(t, inspectors[last], "1 member, none may be lost")))
}

// A removal that would lose quorum is rejected, also with force. Members that respond only to
// members count as present.
func TestRemovalThatWouldLoseQuorum(t *testing.T) {
	t.Parallel()
	cluster := etcdtest.StartCluster(t, 3)
	inspector := etcdcluster.NewInspector(cluster.Client(0), etcdcluster.Options{})
	cluster.Stop(1)
	awaitQuorum(t, inspector, "3 members, 2 respond, none may be lost")
	_, err := inspector.Remove(t.Context(), membership.RemovalRequest{Name: "m3", IsForced: true})
	var refused *membership.UnsafeError
	require.ErrorAs(t, err, &refused)
	require.False(t, refused.CanForce)
	require.ErrorContains(t, err, "the cluster would lose its quorum, since of the others m2 does not respond")
}

// An entry of a learner that never starts is removed. It has no name.
func TestRemoveALearnerThatNeverStarted(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client()
	added, err := client.MemberAddAsLearner(t.Context(), []string{"http://127.0.0.1:1"})
	require.NoError(t, err)
	inspector := etcdcluster.NewInspector(client, etcdcluster.Options{Endpoints: []string{server.Endpoint()}})
	c := inspect(t, inspector)
	require.Equal(t, "1 member and 1 learner, none may be lost", c.Quorum().String())
	learner, err := c.Find(membership.Member{ID: added.Member.GetID()}.HexID())
	require.NoError(t, err)
	require.Equal(t, "it has not started yet", learner.Failure)
	require.Equal(t, membership.RoleLearner, learner.Role())
	_, err = inspector.Remove(t.Context(), membership.RemovalRequest{Name: learner.HexID()})
	require.NoError(t, err)
	require.Len(t, inspect(t, inspector).Members, 1)
}

// A user of etcd that is not root cannot remove members.
func TestRemovalWithoutPermission(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	root := server.Client()
	_, err := root.MemberAddAsLearner(t.Context(), []string{"http://127.0.0.1:1"})
	require.NoError(t, err)
	for _, user := range []string{"root", "games"} {
		_, err := root.UserAdd(t.Context(), user, user)
		require.NoError(t, err)
	}
	_, err = root.UserGrantRole(t.Context(), "root", "root")
	require.NoError(t, err)
	_, err = root.AuthEnable(t.Context())
	require.NoError(t, err)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{server.Endpoint()}, Username: "games", Password: "games"})
	require.NoError(t, err)
	defer client.Close()
	inspector := etcdcluster.NewInspector(client, etcdcluster.Options{Endpoints: []string{server.Endpoint()}})
	c := inspect(t, inspector)
	for _, m := range c.Members {
		if m.IsLearner {
			_, err = inspector.Remove(t.Context(), membership.RemovalRequest{Name: m.HexID()})
			require.ErrorIs(t, err, membership.ErrNotPermitted)
		}
	}
}

// Members that join at the same time join one after the other. The leader drops the change of one
// of them without a response.
func TestConcurrentJoins(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client()
	inspector := etcdcluster.NewInspector(client, etcdcluster.Options{Endpoints: []string{server.Endpoint()}, Timeout: time.Second})
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	var joins sync.WaitGroup
	for n := range 8 {
		joins.Go(func() {
			id, _, err := etcdcluster.AddLearner(ctx, client, etcdcluster.Candidate{
				Name: fmt.Sprintf("eu/%d", n), PeerURL: fmt.Sprintf("http://127.0.0.1:%d", n+1), Timeout: 500 * time.Millisecond,
			})
			if assert.NoError(t, err) { // the removal admits the next learner, as its promotion does
				_, err = inspector.Remove(ctx, membership.RemovalRequest{Name: membership.Member{ID: id}.HexID()})
				assert.NoError(t, err)
			}
		})
	}
	joins.Wait()
}
