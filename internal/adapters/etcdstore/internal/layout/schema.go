package layout

import (
	"fmt"

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
}

// EncodeSchema returns the value of the schema key for a new store.
func EncodeSchema(storeID string) (string, error) {
	value, err := json.Marshal(Schema{Version: Version, StoreID: storeID})
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
