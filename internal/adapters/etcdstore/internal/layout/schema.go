package layout

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Version is the version of the layout that this code reads and writes.
//
//	1  last_op in records, write in intents, layout in the schema
//	2  last_write in records, write_id in intents, version in the schema
const Version = 2

// Schema is the value of the schema key.
type Schema struct {
	Version int    `json:"version"`
	StoreID string `json:"store_id"`
	// Restore describes the last restore from a backup, nil for none.
	Restore *Restore `json:"restore,omitzero"`
}

// Restore describes a restore from a backup.
type Restore struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// ClusterID is the id of the etcd cluster that the restore created, and IdentityOf that of
	// the cluster whose store it continues.
	ClusterID  string `json:"cluster_id"`
	IdentityOf string `json:"identity_of"`
}

// ID returns the identity of the store in the cluster. It includes the id of the cluster,
// because a copy in another cluster keeps its schema key but not its revisions. In the
// cluster that a restore created, it is the identity of before: no revision is given to
// two changes there, and nodes find their containers by it.
func (s Schema) ID(clusterID uint64) string {
	cluster := FormatClusterID(clusterID)
	if s.Restore != nil && s.Restore.ClusterID == cluster {
		cluster = s.Restore.IdentityOf
	}
	return s.StoreID + "-" + cluster
}

// FormatClusterID returns the id of a cluster as the schema and identities contain it.
func FormatClusterID(id uint64) string { return strconv.FormatUint(id, 16) }

// EncodeSchema returns the value of the schema key for a new store.
func EncodeSchema(storeID string) (string, error) {
	return Schema{Version: Version, StoreID: storeID}.Encode()
}

// Encode returns the value of the schema key.
func (s Schema) Encode() (string, error) {
	value, err := json.Marshal(s)
	return string(value), err
}

// DecodeSchema decodes the value of the schema key. The error is runtime.ErrIncompatible
// for another version than this one, and a *runtime.CorruptError for a value that is no
// schema.
func DecodeSchema(kv *mvccpb.KeyValue) (Schema, error) {
	var stored struct {
		Schema

		Layout int `json:"layout"` // the version, as version 1 named it
	}
	key := string(kv.GetKey())
	err := json.Unmarshal(kv.GetValue(), &stored)
	version := max(stored.Version, stored.Layout)
	switch {
	case err != nil || version < 1 || stored.StoreID == "":
		return Schema{}, &runtime.CorruptError{Key: key, Reason: fmt.Sprintf("the value %.80q is not the identity of a store", kv.GetValue())}
	case version > Version:
		return Schema{}, fmt.Errorf("%w: %q has layout version %d, newer than this version's %d; upgrade rtmanager", runtime.ErrIncompatible, key, version, Version)
	case version < Version:
		return Schema{}, fmt.Errorf("%w: %q has layout version %d, and this version reads only %d; use another prefix, or delete the keys of the old layout", runtime.ErrIncompatible, key, version, Version)
	}
	return stored.Schema, nil
}
