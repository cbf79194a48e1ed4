package etcdmembers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// localReadTimeout bounds a read from any one member, which needs no majority.
const localReadTimeout = 2 * time.Second

// Overview implements ports.NodeRegistry with one transaction. Without a response within
// CallTimeout it reads from any member that responds.
func (r *Registry) Overview(ctx context.Context) (node.Overview, error) {
	resp, err := r.readOverview(ctx, r.opts.CallTimeout, clientv3.WithPrefix())
	if err == nil {
		return r.decodeOverview(resp), nil
	}
	if ctx.Err() != nil || isDefinite(err) {
		return node.Overview{}, toDomainError(ctx, "list the nodes", err)
	}
	local, localErr := r.readOverview(ctx, localReadTimeout, clientv3.WithPrefix(), clientv3.WithSerializable())
	if localErr != nil {
		return node.Overview{}, toDomainError(ctx, "list the nodes", err)
	}
	overview := r.decodeOverview(local)
	overview.IsStale = true
	return overview, nil
}

// readOverview reads the keys of all nodes, leaders, known nodes and settings in one transaction.
func (r *Registry) readOverview(ctx context.Context, timeout time.Duration, opts ...clientv3.OpOption) (*clientv3.TxnResponse, error) {
	request := hedged[*clientv3.TxnResponse]
	if len(opts) > 1 {
		request = hedgedLocal[*clientv3.TxnResponse]
	}
	return request(ctx, r, timeout, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		resp, err := r.client.Txn(ctx).Then(
			clientv3.OpGet(r.keys.nodes(), opts...), clientv3.OpGet(r.keys.leaders(), opts...), clientv3.OpGet(r.keys.knownNodes(), opts...),
			clientv3.OpGet(r.keys.nodeSettings(), opts...),
		).Commit()
		if err != nil {
			return nil, err
		}
		return resp, r.checkCluster(resp.Header)
	})
}

func (r *Registry) decodeOverview(resp *clientv3.TxnResponse) node.Overview {
	kvs := func(i int) []*mvccpb.KeyValue { return resp.Responses[i].GetResponseRange().GetKvs() }
	maintenance := r.decodeMaintenance(kvs(3))
	overview := node.Overview{Present: r.decodeNodes(kvs(0), maintenance), Maintenance: maintenance}
	for _, kv := range kvs(1) {
		stored, err := decodeLeader(kv)
		scope, errScope := r.keys.scopeOf(kv)
		if err := cmp.Or(err, errScope); err != nil {
			r.corrupt.Add(kv, err)
			continue
		}
		overview.Leaders = append(overview.Leaders, node.Leader{Scope: scope, Region: stored.Region, Node: stored.Node, Fence: fenceOf(kv)})
	}
	for _, kv := range kvs(2) {
		absent, err := r.keys.decodeKnown(kv)
		if err != nil {
			r.corrupt.Add(kv, err)
			continue
		}
		if _, isPresent := node.Find(overview.Present, absent.Ref()); !isPresent {
			absent.Settings = maintenance.Nodes[absent.Ref()]
			overview.Absent = append(overview.Absent, absent)
		}
	}
	slices.SortFunc(overview.Absent, func(a, b node.Absent) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name, b.Name))
	})
	return overview
}

// SetLost implements ports.NodeRegistry with a read and a transaction.
func (r *Registry) SetLost(ctx context.Context, ref node.Ref, at time.Time) error {
	key := r.keys.knownNode(ref)
	resp, err := r.get(ctx, "read the entry of node "+ref.String(), key)
	if err != nil || len(resp.Kvs) == 0 {
		return err
	}
	absent, err := r.keys.decodeKnown(resp.Kvs[0])
	if err != nil || !absent.StoppedAt.IsZero() || !absent.LostAt.IsZero() {
		return err
	}
	absent.LostAt = at
	value, err := encodeKnown(absent)
	if err != nil {
		return err
	}
	_, err = hedged(ctx, r, r.joinTimeout(), func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return r.client.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(key), "=", resp.Kvs[0].GetModRevision()),
				clientv3.Compare(clientv3.CreateRevision(r.keys.node(ref.Region, ref.Name)), "=", 0)).
			Then(clientv3.OpPut(key, value)).Commit()
	})
	return toDomainError(ctx, "store the loss of node "+ref.String(), err)
}

// RemoveNode implements ports.NodeRegistry with one transaction.
func (r *Registry) RemoveNode(ctx context.Context, ref node.Ref) error {
	presence := r.keys.node(ref.Region, ref.Name)
	resp, err := hedged(ctx, r, r.joinTimeout(), func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return r.client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(presence), "=", 0)).
			Then(clientv3.OpDelete(r.keys.knownNode(ref)), clientv3.OpDelete(r.keys.settings(ref))).Commit()
	})
	if err != nil {
		return toDomainError(ctx, "remove node "+ref.String(), err)
	}
	if !resp.Succeeded {
		return fmt.Errorf("%w: node %s is present; stop its daemon first", runtime.ErrConflict, ref)
	}
	if resp.Responses[0].GetResponseDeleteRange().GetDeleted() == 0 {
		return &node.UnknownError{Node: ref}
	}
	return nil
}

// AwaitAbsence implements ports.NodeRegistry with one read and a watch.
func (r *Registry) AwaitAbsence(ctx context.Context, n node.Node) error {
	key := r.keys.node(n.Region, n.Name)
	for ctx.Err() == nil {
		resp, err := r.getHedged(ctx, key)
		switch {
		case err != nil:
			r.waitBeforeRetry(ctx)
		case len(resp.Kvs) == 0, n.Session != 0 && resp.Kvs[0].GetCreateRevision() != n.Session:
			return nil
		default:
			r.waitForDeletion(ctx, resp.Header.GetRevision(), key)
		}
	}
	return context.Cause(ctx)
}

// waitForDeletion returns when the key was deleted after the revision, or a little later
// when the watch breaks.
func (r *Registry) waitForDeletion(ctx context.Context, revision int64, key string) {
	watchCtx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for resp := range r.watchClient.Watch(watchCtx, key, clientv3.WithRev(revision+1), clientv3.WithFilterPut()) {
		if resp.Err() != nil {
			break
		}
		if len(resp.Events) > 0 {
			return
		}
	}
	r.waitBeforeRetry(ctx)
}

// storedKnown is the value of a known node: its node as of the latest join.
type storedKnown struct {
	storedNode
	StoppedAt time.Time `json:"stopped_at,omitzero"`
	LostAt    time.Time `json:"lost_at,omitzero"`
}

func encodeKnown(a node.Absent) (string, error) {
	a.Settings = node.Settings{}
	value, err := json.Marshal(storedKnown{storedNode: storedNode{Node: a.Node}, StoppedAt: a.StoppedAt, LostAt: a.LostAt})
	if err != nil {
		return "", &runtime.InvalidError{Field: "node", Reason: "cannot be encoded as JSON: " + err.Error()}
	}
	return string(value), nil
}

func (k keyspace) decodeKnown(kv *mvccpb.KeyValue) (node.Absent, error) {
	key := string(kv.GetKey())
	var stored storedKnown
	if err := json.Unmarshal(kv.GetValue(), &stored); err != nil {
		return node.Absent{}, &runtime.CorruptError{Key: key, Reason: "the value is not a node: " + err.Error()}
	}
	stored.Settings = node.Settings{}
	absent := node.Absent{Node: stored.Node, StoppedAt: stored.StoppedAt, LostAt: stored.LostAt}
	if k.knownNode(absent.Ref()) != key {
		return node.Absent{}, &runtime.CorruptError{Key: key, Reason: fmt.Sprintf("the value is of node %q", absent.Ref())}
	}
	absent.StartedAt, absent.Now = absent.StartedAt.UTC(), absent.Now.UTC()
	return absent, nil
}
