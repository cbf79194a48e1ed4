package httpserver_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/domain/membership"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// newMembers returns the members of an etcd with one member and one learner that has never
// started, whose id it returns too.
func newMembers(t testing.TB) (members *etcdcluster.Inspector, learner string) {
	t.Helper()
	client := etcdtest.Start(t).InProcess()
	added, err := client.MemberAddAsLearner(t.Context(), []string{"http://127.0.0.1:1"})
	require.NoError(t, err)
	return etcdcluster.NewInspector(client, etcdcluster.Options{IsOwn: true}), membership.Member{ID: added.Member.GetID()}.HexID()
}

func TestMembersAreDescribed(t *testing.T) {
	t.Parallel()
	members, learner := newMembers(t)
	now := time.Now()
	f := start(t, servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1", Members: members, Certificates: func() []api.CertificateFile {
		return []api.CertificateFile{{Use: "api", File: "tls.crt", NotAfter: now.Add(25 * time.Hour)}, {Use: "client_ca", File: "ca.crt", NotAfter: now.AddDate(1, 0, 0)}}
	}}})
	got := f.send("GET", "/v1/cluster/members", "", "")
	require.Equal(t, 200, got.StatusCode, got.body)
	described := decodeAs[api.ClusterMembers](t, got.body)
	require.Equal(t, node.Ref{Region: "eu", Name: "n1"}, described.Responder)
	require.Equal(t, api.Quorum{Members: 1, Learners: 1, Responding: 1, Required: 1, Text: "1 member and 1 learner, none may be lost"}, described.Quorum)
	require.False(t, described.Local)
	require.Len(t, described.Members, 2)
	require.Len(t, described.Certificates, 2)
	require.Equal(t, []string{
		learner + ": the learner has not started; complete its join, or remove it",
		"eu/n1: the certificate api expires in 1d; renew it",
	}, described.Warnings)

	without := start(t, servertest.Config{})
	require.Equal(t, 501, without.send("GET", "/v1/cluster/members", "", "").StatusCode)
	require.Equal(t, 501, without.send("DELETE", "/v1/cluster/members/x", "", "").StatusCode)
}

func TestMembersAreRemoved(t *testing.T) {
	t.Parallel()
	members, learner := newMembers(t)
	a := startAudit(t)
	s := startSecured(t, withAudit(a), func(c *servertest.Config) { c.Members = members })
	admin, reader := s.token("admin", "admin"), s.token("reader", "reader", "operator")
	path := "/v1/cluster/members/" + learner
	require.Equal(t, 200, s.send("GET", "/v1/cluster/members", reader, "").StatusCode)
	require.Equal(t, 403, s.send("GET", "/v1/cluster/members", s.token("eu", "admin@eu"), "").StatusCode)
	require.Equal(t, 403, s.send("DELETE", path, reader, "").StatusCode)

	got := s.send("DELETE", path+"?dry_run=true", admin, "")
	require.Equal(t, 200, got.StatusCode, got.body)
	require.True(t, decodeAs[api.MemberRemoval](t, got.body).DryRun)
	got = s.send("DELETE", "/v1/cluster/members/eu%2Fn9", admin, "")
	require.Equal(t, 404, got.StatusCode, got.body)
	missing := decodeAs[api.Problem](t, got.body)
	require.Equal(t, api.CodeNoSuchMember, missing.Code)
	require.Contains(t, missing.Detail, `no member "eu/n9" in the cluster; its members are `)
	require.Contains(t, missing.Detail, "etcdtest")
	got = s.send("DELETE", "/v1/cluster/members/etcdtest?force=true", admin, "")
	require.Equal(t, 409, got.StatusCode, got.body)
	last := decodeAs[api.Problem](t, got.body)
	require.Equal(t, api.CodeUnsafeRemoval, last.Code)
	require.Equal(t, "etcdtest", last.Member)
	require.Contains(t, last.Reason, "the last member")
	require.False(t, last.CanForce)

	got = s.send("DELETE", path, admin, "")
	require.Equal(t, 200, got.StatusCode, got.body)
	removal := decodeAs[api.MemberRemoval](t, got.body)
	require.Equal(t, learner, removal.Member.ID)
	require.Equal(t, "1 member, none may be lost", removal.After.Text)
	require.Equal(t, 404, s.send("DELETE", path, admin, "").StatusCode)

	var removed []audit.Event
	for _, event := range a.events() {
		if event.Action == "remove-member" && event.Outcome == audit.OutcomeSucceeded {
			removed = append(removed, event)
		}
	}
	require.Len(t, removed, 2, "the dry run, and the removal")
	require.Equal(t, learner, removed[1].Target)
	require.Equal(t, "token:admin", removed[1].Actor)
	require.Equal(t, "replace false, force false, dry run false", removed[1].Detail)
}
