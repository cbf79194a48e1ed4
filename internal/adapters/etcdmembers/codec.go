package etcdmembers

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// storedNode is the value of a node's key. Only the node's own daemon writes it, so a
// reader may ignore members that it does not know.
type storedNode struct {
	node.Node

	// Session hides the field of node.Node: it is the create revision of the key, so
	// the value does not contain it.
	Session int64 `json:"session,omitzero"`
}

func encodeNode(n node.Node) (string, error) {
	n.Settings = node.Settings{}
	value, err := json.Marshal(storedNode{Node: n})
	if err != nil {
		return "", &runtime.InvalidError{Field: "node", Reason: "cannot be encoded as JSON: " + err.Error()}
	}
	return string(value), nil
}

// decodeNode decodes the value of a node's key. An error is a *runtime.CorruptError with
// the key.
func (k keyspace) decodeNode(kv *mvccpb.KeyValue) (node.Node, error) {
	key := string(kv.GetKey())
	var stored storedNode
	if err := json.Unmarshal(kv.GetValue(), &stored); err != nil {
		return node.Node{}, &runtime.CorruptError{Key: key, Reason: "the value is not a node: " + err.Error()}
	}
	decoded := stored.Node
	decoded.Settings = node.Settings{}
	if k.node(decoded.Region, decoded.Name) != key {
		return node.Node{}, &runtime.CorruptError{Key: key, Reason: fmt.Sprintf("the value is of node %q", decoded.Ref())}
	}
	decoded.Session = kv.GetCreateRevision()
	decoded.StartedAt, decoded.Now = decoded.StartedAt.UTC(), decoded.Now.UTC()
	return decoded, nil
}

// storedLeader is the value of a leader's key.
type storedLeader struct {
	Region string `json:"region"`
	Node   string `json:"node"`
	// Claim is the unique id of one candidacy. A candidate recognizes its key by it.
	Claim string `json:"claim"`
}

func encodeLeader(l storedLeader) (string, error) {
	value, err := json.Marshal(l)
	if err != nil {
		return "", &runtime.InvalidError{Field: "node", Reason: "cannot be encoded as JSON: " + err.Error()}
	}
	return string(value), nil
}

// decodeLeader decodes the value of a leader's key. An error is a *runtime.CorruptError
// with the key.
func decodeLeader(kv *mvccpb.KeyValue) (storedLeader, error) {
	var stored storedLeader
	if err := json.Unmarshal(kv.GetValue(), &stored); err != nil {
		return storedLeader{}, &runtime.CorruptError{Key: string(kv.GetKey()), Reason: "the value is not a leader: " + err.Error()}
	}
	return stored, nil
}

// fenceOf returns the fence that is valid while the key exists.
func fenceOf(kv *mvccpb.KeyValue) node.Fence {
	return node.Fence{Key: string(kv.GetKey()), CreateRevision: kv.GetCreateRevision()}
}
