package daemon_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
	"galaxy/rtmanager/internal/etcdauth"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// bootstrapEtcd creates the user of a store, and returns the steps.
func bootstrapEtcd(t *testing.T, cfg config.Config, options etcdauth.Options) ([]string, error) {
	t.Helper()
	var steps []string
	err := daemon.BootstrapEtcd(t.Context(), cfg, options, slog.New(slog.DiscardHandler), func(step string) { steps = append(steps, step) })
	for _, step := range steps {
		require.NotContains(t, step, "secret")
	}
	return steps, err
}

// A daemon does everything with the user that the bootstrap creates. The user can do nothing
// outside the prefix.
func TestDaemonWithABootstrappedUser(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	cfg := externalSettings(t, server.Endpoint())
	cfg.EtcdPrefix, cfg.Engine, cfg.DataDir = "/eu", config.EngineProcess, t.TempDir()
	options := etcdauth.Options{Prefix: cfg.EtcdPrefix, User: "daemon", Role: "eu", Password: "secret-user", EnableAuth: true, RootPassword: "secret-root"}
	steps, err := bootstrapEtcd(t, cfg, options)
	require.NoError(t, err)
	require.Equal(t, []string{
		"created role eu", "granted role eu to read and write the keys below /eu/, and no others", "created user daemon",
		"granted user daemon the role eu", "created user root", "enabled authentication: etcd rejects every request without a user",
	}, steps)

	admin := cfg
	admin.EtcdUser, admin.EtcdPasswordFile = "root", passwordFile(t, "secret-root\n")
	steps, err = bootstrapEtcd(t, admin, options)
	require.NoError(t, err)
	require.Len(t, steps, 4)
	for _, step := range steps {
		require.Contains(t, step, ": unchanged")
	}
	_, err = bootstrapEtcd(t, cfg, options)
	require.ErrorContains(t, err, "--root-password-file", "without the credentials of root")
	require.ErrorContains(t, startError(t, cfg), "etcd requires a user; set --etcd-user")

	cfg.EtcdUser, cfg.EtcdPasswordFile = "daemon", passwordFile(t, "secret-user\n")
	d := start(t, cfg)
	events := watch(t, d)
	requireEvent(t, events, ports.EventSynced, "")
	require.NoError(t, d.client.Upsert(t.Context(), record("game")))
	requireEvent(t, events, ports.EventUpserted, "game")
	nodes, err := d.client.Nodes(t.Context())
	require.NoError(t, err)
	require.Len(t, nodes.Items, 1, "the presence of the node is on a lease")
	for _, isRepair := range []bool{false, true} {
		report, err := d.client.Check(t.Context(), isRepair)
		require.NoError(t, err)
		require.True(t, report.IsClean())
	}
	require.NoError(t, d.stop())
	_, err = start(t, cfg).client.Get(t.Context(), "game")
	require.NoError(t, err, "after a restart")

	requireDenied(t, cfg.EtcdEndpoints, "daemon", "secret-user")
}

// requireDenied requires that etcd rejects every request of the user outside /eu/.
func requireDenied(t *testing.T, endpoints []string, user, password string) {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Username: user, Password: password, Logger: zap.NewNop()})
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	_, err = client.Put(ctx, "/eu/key", "value")
	require.NoError(t, err)
	for name, request := range map[string]func() error{
		"put":         func() error { _, err := client.Put(ctx, "/us/key", "value"); return err },
		"put next to": func() error { _, err := client.Put(ctx, "/eu", "value"); return err },
		"put longer":  func() error { _, err := client.Put(ctx, "/eu2/key", "value"); return err },
		"get":         func() error { _, err := client.Get(ctx, "/us/key"); return err },
		"get all":     func() error { _, err := client.Get(ctx, "", clientv3.WithFromKey()); return err },
		"wider range": func() error { _, err := client.Get(ctx, "/", clientv3.WithPrefix()); return err },
		"from the prefix on": func() error {
			_, err := client.Get(ctx, "/eu/", clientv3.WithFromKey())
			return err
		},
		"delete": func() error { _, err := client.Delete(ctx, "/us/", clientv3.WithPrefix()); return err },
		"transaction": func() error {
			_, err := client.Txn(ctx).Then(clientv3.OpPut("/eu/key", "x"), clientv3.OpPut("/us/key", "x")).Commit()
			return err
		},
		"nested transaction": func() error {
			inner := clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpPut("/us/key", "x")}, nil)
			_, err := client.Txn(ctx).Then(inner).Commit()
			return err
		},
		"compare": func() error {
			_, err := client.Txn(ctx).If(clientv3.Compare(clientv3.Version("/us/key"), "=", 0)).Then(clientv3.OpGet("/eu/key")).Commit()
			return err
		},
		"watch": func() error {
			changes, isOpen := <-client.Watch(ctx, "/", clientv3.WithPrefix())
			if !isOpen || changes.Err() == nil {
				return errors.New("the watch has no error")
			}
			return changes.Err()
		},
		"compaction": func() error { _, err := client.Compact(ctx, 1); return err },
		"new user":   func() error { _, err := client.UserAdd(ctx, "eve", "secret"); return err },
		"wider role": func() error {
			_, err := client.RoleGrantPermission(ctx, "eu", "/", "0", clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		},
		"role root":  func() error { _, err := client.UserGrantRole(ctx, user, "root"); return err },
		"auth off":   func() error { _, err := client.AuthDisable(ctx); return err },
		"new member": func() error { _, err := client.MemberAdd(ctx, []string{"http://127.0.0.1:1"}); return err },
		"snapshot": func() error {
			snapshot, err := client.Snapshot(ctx)
			if err != nil {
				return err
			}
			defer snapshot.Close()
			_, err = io.ReadAll(snapshot)
			return err
		},
		"move leader": func() error { _, err := client.MoveLeader(ctx, 1); return err },
	} {
		err := rpctypes.Error(request())
		require.Error(t, err, name)
		require.True(t, strings.Contains(err.Error(), "permission denied"), "%s: %v", name, err)
	}
}

func TestBootstrapRejectsWiderRights(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	cfg := externalSettings(t, server.Endpoint())
	client := server.Client()
	_, err := client.RoleAdd(t.Context(), "wide")
	require.NoError(t, err)
	_, err = client.RoleGrantPermission(t.Context(), "wide", "/", "0", clientv3.PermissionType(clientv3.PermReadWrite))
	require.NoError(t, err)
	_, err = client.RoleAdd(t.Context(), "root")
	require.NoError(t, err)
	_, err = client.UserAdd(t.Context(), "powerful", "secret")
	require.NoError(t, err)
	_, err = client.UserGrantRole(t.Context(), "powerful", "root")
	require.NoError(t, err)
	valid := etcdauth.Options{Prefix: "/eu", User: "daemon", Role: "eu", Password: "secret"}
	for want, change := range map[string]func(*etcdauth.Options){
		`role wide may also access the keys from "/" to "0"`: func(o *etcdauth.Options) { o.Role = "wide" },
		"user powerful also has the roles root":              func(o *etcdauth.Options) { o.User = "powerful" },
		"root may change everything in etcd":                 func(o *etcdauth.Options) { o.User = "root" },
		"the password of user daemon is empty":               func(o *etcdauth.Options) { o.Password = "" },
		"the password of root is required":                   func(o *etcdauth.Options) { o.EnableAuth = true },
	} {
		options := valid
		change(&options)
		_, err := bootstrapEtcd(t, cfg, options)
		require.ErrorContains(t, err, want)
	}
	_, err = bootstrapEtcd(t, cfg, valid)
	require.NoError(t, err)
}

// Authentication would lock a daemon out of the etcd that it embeds.
func TestBootstrapDoesNotEnableAuthInAnEmbeddedEtcd(t *testing.T) {
	t.Parallel()
	settings := newSettings(t)
	settings.Engine = config.EngineNone
	d := start(t, settings)
	cfg := config.Default()
	cfg.EtcdEndpoints, cfg.DataDir = []string{d.Etcd}, filepath.Join(t.TempDir(), "unused")
	_, err := bootstrapEtcd(t, cfg, etcdauth.Options{User: "daemon", Role: "eu", Password: "secret", EnableAuth: true, RootPassword: "secret"})
	require.ErrorContains(t, err, "is embedded in a daemon")
	require.NoError(t, d.client.Upsert(t.Context(), record("game")))
}
