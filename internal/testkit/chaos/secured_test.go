package chaos_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/operator"
)

// daemonUser is the user of the daemons at etcd, whose role has the keys of the store.
const daemonUser = "rtmanager"

// passwords is the password of the user of the daemons, in a file that they read.
type passwords struct {
	file   string
	number int // of the passwords so far
}

// secure makes etcd authenticate requests, as its operator does.
func (c *testCluster) secure(t *testing.T) *passwords {
	t.Helper()
	dir := t.TempDir()
	p, root := &passwords{file: filepath.Join(dir, "password")}, filepath.Join(dir, "root-password")
	require.NoError(t, os.WriteFile(root, []byte("root-of-a-test"), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), operatorTimeout)
	defer cancel()
	require.NoError(t, operator.EnableAuthentication(ctx, c.Cluster, daemonUser, p.file, root))
	c.SetAdministrator("root", "root-of-a-test")
	return p
}

// flags returns those of the daemons.
func (p *passwords) flags() []string {
	return []string{"--etcd-user", daemonUser, "--etcd-password-file", p.file}
}

// fault changes the password in etcd, and after a while in the file. In between the daemons have a wrong one.
func (p *passwords) fault(client *clientv3.Client) chaos.Fault {
	return chaos.Fault{Kind: "password changed", Target: "daemons", Process: "password", MaxDuration: 3 * time.Second, Inject: func(ctx context.Context, _ *rand.Rand) (func(context.Context) error, string, error) {
		p.number++
		password := "password-" + strconv.Itoa(p.number)
		ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
		defer cancel()
		err := changePassword(ctx, client, password)
		return func(context.Context) error { return p.write(password) }, "", err
	}}
}

// changePassword retries, since etcd may be electing a leader.
func changePassword(ctx context.Context, client *clientv3.Client, password string) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, faultTimeout)
		_, err := client.UserChangePassword(attempt, daemonUser, password)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// write replaces the file at once.
func (p *passwords) write(password string) error {
	next := p.file + ".new"
	return errors.Join(os.WriteFile(next, []byte(password), 0o600), os.Rename(next, p.file))
}
