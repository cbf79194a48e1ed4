package etcdmembers

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.NodeSettingsStore = (*Registry)(nil)

// nodeSettings is the family of the settings of nodes and regions.
func (k keyspace) nodeSettings() string { return k.prefix + "/node-settings/" }

// settings returns the key of a node, and of a region for an empty name.
func (k keyspace) settings(ref node.Ref) string {
	key := k.nodeSettings() + etcd.EscapeSegment(ref.Region)
	if ref.Name != "" {
		key += "/" + etcd.EscapeSegment(ref.Name)
	}
	return key
}

// settingsOf returns the node, or the region without a name, of a key of the family. It
// returns a *runtime.CorruptError for a key that no daemon has written.
func (k keyspace) settingsOf(key string) (node.Ref, error) {
	region, name, isNode := strings.Cut(strings.TrimPrefix(key, k.nodeSettings()), "/")
	var ref node.Ref
	var err error
	if ref.Region, err = etcd.UnescapeSegment(region); err == nil && isNode {
		ref.Name, err = etcd.UnescapeSegment(name)
	}
	if err != nil || isNode && ref.Name == "" {
		return node.Ref{}, &runtime.CorruptError{Key: key, Reason: "the key names neither a node nor a region"}
	}
	return ref, nil
}

// stored is the value of a settings key. Members that only a newer version knows survive.
type stored[T any] struct {
	Settings T              `json:",embed"`
	Unknown  jsontext.Value `json:",embed"`
}

// decodeSettings decodes the value of a key; a nil kv is that of no settings. An error is a
// *runtime.CorruptError with the key.
func decodeSettings[T any](kv *mvccpb.KeyValue) (decoded stored[T], err error) {
	if kv == nil {
		return decoded, nil
	}
	if err := json.Unmarshal(kv.GetValue(), &decoded); err != nil {
		return stored[T]{}, &runtime.CorruptError{Key: string(kv.GetKey()), Reason: "the value is not the settings of a node or region: " + err.Error()}
	}
	return decoded, nil
}

// maintenanceMap is a Maintenance that is read from keys.
type maintenanceMap struct {
	registry *Registry
	node.Maintenance
}

func (r *Registry) newMaintenanceMap() maintenanceMap {
	return maintenanceMap{r, node.Maintenance{Nodes: map[node.Ref]node.Settings{}, Regions: map[string]node.RegionSettings{}}}
}

// put adds the settings of a key. It logs a corrupt key or value once, and then counts its
// settings as absent.
func (m maintenanceMap) put(kv *mvccpb.KeyValue) {
	ref, err := m.registry.keys.settingsOf(string(kv.GetKey()))
	if err == nil && ref.Name != "" {
		var decoded stored[node.Settings]
		if decoded, err = decodeSettings[node.Settings](kv); err == nil {
			m.Nodes[ref] = decoded.Settings
		}
	} else if err == nil {
		var decoded stored[node.RegionSettings]
		if decoded, err = decodeSettings[node.RegionSettings](kv); err == nil {
			m.Regions[ref.Region] = decoded.Settings
		}
	}
	if err != nil {
		m.registry.corruptSettings.Add(kv, err)
	}
}

// remove removes the settings of a deleted key.
func (m maintenanceMap) remove(key string) {
	ref, err := m.registry.keys.settingsOf(key)
	switch {
	case err != nil:
	case ref.Name != "":
		delete(m.Nodes, ref)
	default:
		delete(m.Regions, ref.Region)
	}
}

// decodeMaintenance decodes the keys of the family.
func (r *Registry) decodeMaintenance(kvs []*mvccpb.KeyValue) node.Maintenance {
	m := r.newMaintenanceMap()
	for _, kv := range kvs {
		m.put(kv)
	}
	return m.Maintenance
}

// Maintenance implements ports.NodeSettingsStore.
func (r *Registry) Maintenance(ctx context.Context) (node.Maintenance, error) {
	resp, err := r.get(ctx, "read the settings of the nodes", r.keys.nodeSettings(), clientv3.WithPrefix())
	if err != nil {
		return node.Maintenance{}, err
	}
	return r.decodeMaintenance(resp.Kvs), nil
}

// UpdateNode implements ports.NodeSettingsStore by a read and a compare-and-swap.
func (r *Registry) UpdateNode(ctx context.Context, ref node.Ref, change func(*node.Settings) error) (node.Settings, error) {
	members := []clientv3.Op{clientv3.OpGet(r.keys.knownNode(ref)), clientv3.OpGet(r.keys.node(ref.Region, ref.Name))}
	return updateSettings(ctx, r, ref, members, &node.UnknownError{Node: ref}, change)
}

// UpdateRegion implements ports.NodeSettingsStore by a read and a compare-and-swap.
func (r *Registry) UpdateRegion(ctx context.Context, region string, change func(*node.RegionSettings) error) (node.RegionSettings, error) {
	members := []clientv3.Op{
		clientv3.OpGet(r.keys.knownNode(node.Ref{Region: region}), clientv3.WithPrefix(), clientv3.WithLimit(1)),
		clientv3.OpGet(r.keys.node(region, ""), clientv3.WithPrefix(), clientv3.WithLimit(1)),
	}
	unknown := fmt.Errorf("no node has joined in region %q: %w", region, runtime.ErrNotFound)
	return updateSettings(ctx, r, node.Ref{Region: region}, members, unknown, change)
}

// updateSettings changes the settings of a node or region. It returns unknown if none of the
// reads in known has a result.
//
// A lost response is harmless: the retry reads the settings as they are then, and change
// computes the same result from them.
func updateSettings[T any](ctx context.Context, r *Registry, ref node.Ref, members []clientv3.Op, unknown error, change func(*T) error) (T, error) {
	var none T
	key := r.keys.settings(ref)
	operation := "change the settings of " + strings.TrimSuffix(ref.String(), "/")
	ctx, cancel := r.etcd.WithOperationTimeout(ctx)
	defer cancel()
	for {
		read, err := r.etcd.ReadTxn(ctx, append([]clientv3.Op{clientv3.OpGet(key)}, members...)...)
		if err != nil {
			return none, fmt.Errorf("%s: %w", operation, err)
		}
		kvs := func(i int) []*mvccpb.KeyValue { return read.Responses[i].GetResponseRange().GetKvs() }
		found := slices.Concat(kvs(1), kvs(2))
		if len(found) == 0 {
			return none, unknown
		}
		// A node that is removed in the meantime must not get settings: another node of its name would have them.
		exists := clientv3.Compare(clientv3.CreateRevision(string(found[0].GetKey())), "=", found[0].GetCreateRevision())
		var current *mvccpb.KeyValue
		if len(kvs(0)) > 0 {
			current = kvs(0)[0]
		}
		before, err := decodeSettings[T](current)
		if err != nil {
			return none, err
		}
		next, _ := decodeSettings[T](current) // shares no memory with before
		if err := change(&next.Settings); err != nil {
			return none, err
		}
		if reflect.DeepEqual(before.Settings, next.Settings) {
			return next.Settings, nil
		}
		write, err := encodeSettings(key, next)
		if err != nil {
			return none, err
		}
		resp, err := hedged(ctx, r, r.joinTimeout(), func(ctx context.Context) (*clientv3.TxnResponse, error) {
			return r.client.Txn(ctx).If(exists, clientv3.Compare(clientv3.ModRevision(key), "=", current.GetModRevision())).Then(write).Commit()
		})
		switch {
		case err == nil && resp.Succeeded:
			return next.Settings, nil
		case err == nil: // another writer was faster
		case ctx.Err() != nil || isDefinite(err):
			return none, toDomainError(ctx, operation, err)
		default:
			r.waitBeforeRetry(ctx)
		}
	}
}

// encodeSettings returns the write of the settings: a deletion if they are those of a node or
// region in service.
func encodeSettings[T any](key string, next stored[T]) (clientv3.Op, error) {
	value, err := json.Marshal(next)
	if err != nil {
		return clientv3.Op{}, &runtime.InvalidError{Field: "settings", Reason: "cannot be encoded as JSON: " + err.Error()}
	}
	if string(value) == "{}" {
		return clientv3.OpDelete(key), nil
	}
	return clientv3.OpPut(key, string(value)), nil
}
