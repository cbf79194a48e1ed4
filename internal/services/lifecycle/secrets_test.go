package lifecycle_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/envelope"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/secrets"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/memsecrets"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

const secretMarker = "hunter2-marker"

type oneKey struct{ text string }

func (k oneKey) Load(context.Context) ([]byte, error) { return []byte(k.text), nil }

// secretNode is a node with secrets.
type secretNode struct {
	*nodetest.Node
	t       *testing.T
	secrets *secrets.Service
	etcd    *clientv3.Client
}

func newSecretNode(t *testing.T) secretNode {
	t.Helper()
	records := memstore.New()
	service, err := secrets.New(
		secrets.Dependencies{Store: memsecrets.New(), Keys: oneKey{envelope.GenerateKey(time.Now())}, Records: records, Intents: records},
		secrets.Config{StoreID: "s"},
	)
	require.NoError(t, err)
	client := etcdtest.InProcess(t)
	return secretNode{nodetest.New(t, nodetest.Config{Client: client, Secrets: service, MinUptime: time.Millisecond}), t, service, client}
}

func (n secretNode) put(name, value string) {
	n.t.Helper()
	_, err := n.secrets.Put(n.t.Context(), secret.PutInput{Name: name, Values: secret.NewValues(map[string]string{"PASSWORD": value})})
	require.NoError(n.t, err)
}

// password returns the variable of the running game.
func (n secretNode) password(gameID string) string {
	n.t.Helper()
	pid := nodetest.GamePID(n.t, n.Record(gameID).EngineEndpoint)
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	require.NoError(n.t, err)
	for variable := range strings.SplitSeq(string(environment), "\x00") {
		if value, found := strings.CutPrefix(variable, "PASSWORD="); found {
			return value
		}
	}
	return ""
}

// dump returns all keys and values of the node's store.
func (n secretNode) dump() string {
	n.t.Helper()
	resp, err := n.etcd.Get(n.t.Context(), n.Config.Prefix, clientv3.WithPrefix())
	require.NoError(n.t, err)
	var b strings.Builder
	for _, kv := range resp.Kvs {
		fmt.Fprintf(&b, "%s=%s\n", kv.Key, kv.Value)
	}
	return b.String()
}

func secretSpec(names ...string) operation.Spec {
	spec := nodetest.GameSpec("1.0.0")
	spec.Secrets = names
	return spec
}

func TestAnUpdatedSecretIsUsedByTheNextStart(t *testing.T) {
	t.Parallel()
	n := newSecretNode(t)
	n.put("db", secretMarker)
	n.MustExecute(nodetest.StartOp("g", secretSpec("db")))
	require.Equal(t, secretMarker, n.password("g"))
	first := n.Record("g")
	require.NotContains(t, n.dump(), secretMarker)

	stop, start, restart := nodetest.Op(operation.KindStop, "g"), nodetest.Op(operation.KindStart, "g"), nodetest.Op(operation.KindRestart, "g")
	n.MustExecute(stop)
	n.MustExecute(start)
	require.Equal(t, first.CurrentContainerID, n.Record("g").CurrentContainerID, "the same versions: the container is kept")
	require.Equal(t, secretMarker, n.password("g"))

	n.put("db", "second")
	n.MustExecute(start) // the game is running
	require.Equal(t, secretMarker, n.password("g"))
	n.MustExecute(stop)
	n.MustExecute(start)
	require.Equal(t, "second", n.password("g"))
	second := n.Record("g")
	require.Equal(t, first.Generation+1, second.Generation)
	require.Len(t, n.Containers("g"), 1, "the previous container is removed")

	n.MustExecute(restart)
	require.Equal(t, second.CurrentContainerID, n.Record("g").CurrentContainerID)
	n.put("db", "third")
	n.MustExecute(restart)
	require.Equal(t, "third", n.password("g"))
	require.Equal(t, second.Generation+1, n.Record("g").Generation)
	require.Len(t, n.Containers("g"), 1)
}

func TestAGameWithoutItsSecretsIsNotStarted(t *testing.T) {
	t.Parallel()
	n := newSecretNode(t)
	_, err := n.Execute(nodetest.StartOp("g", secretSpec("missing")))
	require.ErrorIs(t, err, secret.ErrUnresolved)
	require.ErrorContains(t, err, `"missing"`)
	require.Empty(t, n.Containers("g"), "nothing is created")
	_, err = n.Store.Get(t.Context(), "g")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	stored, err := n.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Zero(t, stored.Revision, "the operation is not accepted")

	n.put("missing", secretMarker)
	n.MustExecute(nodetest.StartOp("g", secretSpec("missing")))
	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	require.NoError(t, n.secrets.Delete(t.Context(), "missing", true, ""))
	_, err = n.Execute(nodetest.Op(operation.KindStart, "g"))
	require.ErrorIs(t, err, secret.ErrUnresolved)
	require.Equal(t, runtime.StatusStopped, n.Record("g").Status)
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0"))) // without the secret
	require.Empty(t, n.password("g"))
}

func TestAGameCannotReferenceSecretsOfOthers(t *testing.T) {
	t.Parallel()
	n := newSecretNode(t)
	n.put(secret.OfGame("other"), secretMarker)
	n.put(secret.OfGame("g"), "own")
	for _, name := range []string{secret.OfGame("other"), secret.OfRegistry("docker.io"), "UPPER"} {
		_, err := n.Execute(nodetest.StartOp("g", secretSpec(name)))
		require.ErrorIs(t, err, runtime.ErrInvalid, name)
		keepsImage := secretSpec(name)
		keepsImage.Image = ""
		_, err = n.Execute(nodetest.StartOp("g", keepsImage))
		require.ErrorIs(t, err, runtime.ErrInvalid, name)
	}
	n.MustExecute(nodetest.StartOp("g", secretSpec(secret.OfGame("g"))))
	require.Equal(t, "own", n.password("g"))
}

// A patch that fails starts the previous container with its secrets.
func TestRollbackStartsThePreviousContainerWithItsSecrets(t *testing.T) {
	t.Parallel()
	n := newSecretNode(t)
	n.put("db", secretMarker)
	n.MustExecute(nodetest.StartOp("g", secretSpec("db")))
	previous := n.Record("g")
	_, err := n.Execute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "no-such-image:1.0.1", Force: true})
	require.Error(t, err)
	n.MustExecute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "gameserver:1.0.1"})
	require.Equal(t, secretMarker, n.password("g"))
	require.NotEqual(t, previous.CurrentContainerID, n.Record("g").CurrentContainerID)

	failing := ports.OperationRequest{GameID: "g", Kind: operation.KindStart}
	spec := secretSpec("db")
	spec.Image, spec.Args, spec.HealthTimeout = "gameserver:1.0.1", []string{"--no-such-flag"}, operation.Duration(2*time.Second)
	failing.Spec = &spec
	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	_, err = n.Execute(failing)
	require.Error(t, err)
	require.NotContains(t, err.Error(), secretMarker)
	n.MustExecute(nodetest.Op(operation.KindStart, "g"))
	require.Equal(t, secretMarker, n.password("g"))
	require.NotContains(t, n.dump(), secretMarker)
}

// A node that cannot provide the secrets of a game makes no offer, so another one starts it.
func TestANodeWithoutTheSecretsMakesNoOffer(t *testing.T) {
	t.Parallel()
	n := newSecretNode(t)
	_, err := n.Service.Offer(t.Context(), "g", secretSpec("db"))
	require.ErrorIs(t, err, secret.ErrUnresolved)
	n.put("db", secretMarker)
	_, err = n.Service.Offer(t.Context(), "g", secretSpec("db"))
	require.NoError(t, err)
	without := nodetest.New(t, nodetest.Config{})
	_, err = without.Service.Offer(t.Context(), "g", secretSpec("db"))
	require.Error(t, err)
}
