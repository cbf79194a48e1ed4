package etcdmembers

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// storedNode is the value of a presence. Nobody but its own daemon writes it, so
// members that a reader does not know can be passed over.
type storedNode struct {
	node.Node

	// Session stands in the place of the Node's: the key itself tells it.
	Session int64 `json:"session,omitzero"`
}

func encodeNode(node node.Node) (string, error) {
	value, err := json.Marshal(storedNode{Node: node})
	if err != nil {
		return "", &runtime.InvalidError{Field: "node", Reason: "cannot be written as JSON: " + err.Error()}
	}
	return string(value), nil
}

// decodeNode reads a presence. On error the error is a *runtime.CorruptError with
// its key.
func (k keyspace) decodeNode(kv *mvccpb.KeyValue) (node.Node, error) {
	key := string(kv.GetKey())
	var stored storedNode
	if err := json.Unmarshal(kv.GetValue(), &stored); err != nil {
		return node.Node{}, &runtime.CorruptError{Key: key, Reason: "the value is not a node: " + err.Error()}
	}
	decoded := stored.Node
	if k.node(decoded.Region, decoded.Name) != key {
		return node.Node{}, &runtime.CorruptError{Key: key, Reason: fmt.Sprintf("the value says that it is of node %q", decoded.Region+"/"+decoded.Name)}
	}
	decoded.Session = kv.GetCreateRevision()
	decoded.StartedAt, decoded.Now = decoded.StartedAt.UTC(), decoded.Now.UTC()
	return decoded, nil
}

// storedLeader is the value of a leadership.
type storedLeader struct {
	Region string `json:"region"`
	Node   string `json:"node"`
	// Claim is another for each time that a daemon stands for it, so that it knows
	// its own.
	Claim string `json:"claim"`
}

func encodeLeader(l storedLeader) (string, error) {
	value, err := json.Marshal(l)
	if err != nil {
		return "", &runtime.InvalidError{Field: "node", Reason: "cannot be written as JSON: " + err.Error()}
	}
	return string(value), nil
}

// decodeLeader is decodeNode for a leadership.
func decodeLeader(kv *mvccpb.KeyValue) (storedLeader, error) {
	var stored storedLeader
	if err := json.Unmarshal(kv.GetValue(), &stored); err != nil {
		return storedLeader{}, &runtime.CorruptError{Key: string(kv.GetKey()), Reason: "the value is not a leader's: " + err.Error()}
	}
	return stored, nil
}

func fenceOf(kv *mvccpb.KeyValue) node.Fence {
	return node.Fence{Key: string(kv.GetKey()), CreateRevision: kv.GetCreateRevision()}
}
