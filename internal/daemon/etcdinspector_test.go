package daemon_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/membership"
	"galaxy/rtmanager/internal/etcdauth"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// A daemon describes the members of an external etcd that has users. Its own user cannot
// remove them.
func TestMembersOfAnExternalEtcdWithUsers(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	learner, err := server.Client().MemberAddAsLearner(t.Context(), []string{"http://127.0.0.1:1"})
	require.NoError(t, err)
	cfg := externalSettings(t, server.Endpoint())
	cfg.Engine = config.EngineNone
	_, err = bootstrapEtcd(t, cfg, etcdauth.Options{Prefix: cfg.EtcdPrefix, User: "daemon", Role: "eu", Password: "secret-user", EnableAuth: true, RootPassword: "secret-root"})
	require.NoError(t, err)
	cfg.EtcdUser, cfg.EtcdPasswordFile = "daemon", passwordFile(t, "secret-user\n")
	d := start(t, cfg)
	members, err := d.client.Members(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1 member and 1 learner, none may be lost", members.Quorum.Text, "%+v", members.Members)
	require.False(t, members.Local)
	require.Empty(t, members.Certificates)
	for _, m := range members.Members {
		require.False(t, m.Embedded)
		if m.Name != "" {
			require.Equal(t, membership.RoleLeader, m.Role)
			require.Positive(t, m.DBBytes)
		}
	}
	_, err = d.client.RemoveMember(t.Context(), membership.RemovalRequest{Name: membership.Member{ID: learner.Member.GetID()}.HexID()})
	require.ErrorContains(t, err, "the user of etcd may not change its members")
}

// A daemon without other settings describes its single member.
func TestMembersOfASingleDaemon(t *testing.T) {
	t.Parallel()
	cfg := newSettings(t)
	cfg.Engine = config.EngineNone
	d := start(t, cfg)
	members, err := d.client.Members(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1 member, none may be lost", members.Quorum.Text)
	require.True(t, members.Members[0].Embedded)
	require.Empty(t, members.Warnings)
	_, err = d.client.RemoveMember(t.Context(), membership.RemovalRequest{Name: members.Members[0].Name, IsForced: true})
	require.ErrorIs(t, err, membership.ErrUnsafe)
}
