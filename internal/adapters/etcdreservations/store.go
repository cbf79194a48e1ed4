package etcdreservations

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.ReservationStore = (*Store)(nil)

// Options configure a Store. The zero value is valid.
type Options struct {
	// Prefix is the prefix of every key; that of the store of the records.
	Prefix string
	// ClusterID is the id of the etcd cluster, whose responses are the only accepted ones; 0
	// accepts the first cluster that responds.
	ClusterID uint64
	// CallTimeout bounds one request at least. Default 3 s.
	CallTimeout time.Duration
	// OperationTimeout bounds one method, for callers without a deadline. Default 15 s.
	OperationTimeout time.Duration
	// Logger reports retries at debug level; nil discards them.
	Logger *slog.Logger
}

// Store implements ports.ReservationStore on one etcd cluster. It is safe for concurrent use, and
// several stores may work on the same prefix.
type Store struct {
	etcd   *etcd.Client
	prefix string

	mu     sync.Mutex
	latest map[node.Ref]node.Reservations // the newest ones that were read or written; guarded by mu
}

// New returns a store. It sends no request. The caller closes the client.
func New(client *clientv3.Client, opts Options) *Store {
	s := &Store{prefix: familyOf(opts.Prefix), latest: map[node.Ref]node.Reservations{}, etcd: etcd.NewClient(client, etcd.Options{
		CallTimeout:      cmp.Or(opts.CallTimeout, 3*time.Second),
		OperationTimeout: cmp.Or(opts.OperationTimeout, 15*time.Second),
		Logger:           opts.Logger,
	})}
	if opts.ClusterID != 0 {
		s.etcd.SetClusterID(opts.ClusterID)
	}
	return s
}

// familyOf is the prefix of the keys of all nodes.
func familyOf(prefix string) string { return etcd.TrimPrefix(prefix) + "/reservations/" }

// regionKeys is the prefix of the keys of a region.
func (s *Store) regionKeys(region string) string { return s.prefix + etcd.EscapeSegment(region) + "/" }

func (s *Store) key(ref node.Ref) string {
	return s.regionKeys(ref.Region) + etcd.EscapeSegment(ref.Name)
}

// Reservations implements ports.ReservationStore.
func (s *Store) Reservations(ctx context.Context, region, name string) ([]node.Reservations, int64, error) {
	key, opts := s.regionKeys(region), []clientv3.OpOption{clientv3.WithPrefix()}
	if name != "" {
		key, opts = s.key(node.Ref{Region: region, Name: name}), nil
	}
	resp, err := s.etcd.Get(ctx, key, opts...)
	if err != nil {
		return nil, 0, fmt.Errorf("read the reservations of region %q: %w", region, err)
	}
	var found []node.Reservations
	for _, kv := range resp.Kvs {
		found = append(found, s.decode(region, kv))
	}
	s.storeLatest(found)
	return found, resp.Header.GetRevision(), nil
}

// ReservationsLocal implements ports.ReservationStore.
func (s *Store) ReservationsLocal(ref node.Ref) (node.Reservations, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, isKnown := s.latest[ref]
	return found.Clone(), isKnown
}

// storeLatest stores reservations that etcd has returned or written, unless newer ones are known.
func (s *Store) storeLatest(nodes []node.Reservations) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, reserved := range nodes {
		if reserved.Revision >= s.latest[reserved.Node].Revision {
			s.latest[reserved.Node] = reserved.Clone()
		}
	}
}

// dropLatest drops what is known of nodes whose reservations have changed.
func (s *Store) dropLatest(nodes []node.Reservations) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, reserved := range nodes {
		delete(s.latest, reserved.Node)
	}
}

// storedReservations is the value of a key.
type storedReservations struct {
	Games map[string]node.Reservation `json:"games"`
}

// decode returns the reservations of a key, with a Fault if they cannot be read.
func (s *Store) decode(region string, kv *mvccpb.KeyValue) node.Reservations {
	segment := strings.TrimPrefix(string(kv.GetKey()), s.regionKeys(region))
	name, err := etcd.UnescapeSegment(segment)
	var stored storedReservations
	if err == nil {
		err = json.Unmarshal(kv.GetValue(), &stored)
	} else {
		name = segment
	}
	decoded := node.Reservations{Node: node.Ref{Region: region, Name: name}, Games: stored.Games, Revision: kv.GetModRevision()}
	if err != nil {
		decoded.Games = nil
		decoded.Fault = &runtime.CorruptError{Key: string(kv.GetKey()), Reason: "the value is not the reservations of a node: " + err.Error()}
	}
	return decoded.Clone()
}

// PutReservations implements ports.ReservationStore. It does not repeat a request whose outcome is
// unknown: the caller reads the reservations, and finds its own if the request was applied.
func (s *Store) PutReservations(ctx context.Context, nodes []node.Reservations) error {
	if len(nodes) > ports.MaxReservationNodes {
		return &runtime.InvalidError{Field: "nodes", Reason: fmt.Sprintf("are %d; at most %d are allowed", len(nodes), ports.MaxReservationNodes)}
	}
	var compares []clientv3.Cmp
	var puts []clientv3.Op
	for _, reserved := range nodes {
		value, err := json.Marshal(storedReservations{Games: reserved.Clone().Games})
		if err != nil {
			return fmt.Errorf("encode the reservations of node %s: %w", reserved.Node, err)
		}
		compares = append(compares, clientv3.Compare(clientv3.ModRevision(s.key(reserved.Node)), "=", reserved.Revision))
		puts = append(puts, clientv3.OpPut(s.key(reserved.Node), string(value)))
	}
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()
	resp, err := etcd.TryOnce(ctx, s.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return s.etcd.Raw.Txn(ctx).If(compares...).Then(puts...).Commit()
	})
	if err == nil {
		err = s.etcd.CheckCluster(resp.Header.GetClusterId())
	} else {
		err = etcd.WriteError(ctx, err)
	}
	if err != nil || !resp.Succeeded {
		s.dropLatest(nodes)
	}
	switch {
	case err != nil:
		return fmt.Errorf("write the reservations of %d nodes: %w", len(nodes), err)
	case !resp.Succeeded:
		return fmt.Errorf("write the reservations of %d nodes: %w: another daemon has changed them", len(nodes), runtime.ErrConflict)
	}
	stored := make([]node.Reservations, len(nodes))
	for i, reserved := range nodes {
		stored[i] = reserved.Clone()
		stored[i].Revision = resp.Header.GetRevision()
	}
	s.storeLatest(stored)
	return nil
}
