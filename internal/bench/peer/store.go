package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
)

// game is the object of a run. It has the size of a record of rtmanager in one text, so that
// JSON is encoded and decoded faster than with the fields of a record.
type game struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Generation        int64  `json:"generation"`
	Text              string `json:"text"`
}

// DeepCopyObject implements runtime.Object.
func (g *game) DeepCopyObject() runtime.Object { return g.clone() }

func (g *game) clone() *game {
	copied := *g
	g.DeepCopyInto(&copied.ObjectMeta) // promoted from ObjectMeta
	return &copied
}

// gameList is the result of a list.
type gameList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []game `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (l *gameList) DeepCopyObject() runtime.Object {
	copied := *l
	copied.Items = make([]game, len(l.Items))
	for i := range l.Items {
		copied.Items[i] = *l.Items[i].clone()
	}
	return &copied
}

// jsonCodec encodes objects without conversion between versions.
type jsonCodec struct{}

func (jsonCodec) Encode(obj runtime.Object, w io.Writer) error {
	encoded, err := json.Marshal(obj)
	if err != nil {
		return err
	}
	_, err = w.Write(encoded)
	return err
}

func (jsonCodec) Identifier() runtime.Identifier { return "json" }

func (jsonCodec) Decode(data []byte, _ *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	return into, &schema.GroupVersionKind{}, json.Unmarshal(data, into)
}

// resource is the directory of all objects below the prefix of the run.
const resource = "/games"

// peer is the store of the API server with the objects of a run.
type peer struct {
	options  options
	store    storage.Interface
	destroy  func()
	client   *clientv3.Client // for what is not measured
	prefix   string           // of all keys of the run
	cached   []*game          // the last result of each writer
	readable bool             // set when the objects to read exist
}

// requestTimeout bounds the requests that are not measured.
const requestTimeout = time.Minute

// openPeer connects to etcd and creates the objects of the writers.
func openPeer(ctx context.Context, o options) (*peer, error) {
	endpoints := strings.Split(o.endpoints, ",")
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Context: context.WithoutCancel(ctx)})
	if err != nil {
		return nil, err
	}
	p := &peer{options: o, client: client, prefix: path.Join("/", o.prefix, strings.ToLower(rand.Text()))}
	config := storagebackend.NewDefaultConfig(p.prefix, jsonCodec{})
	config.Transport.ServerList = endpoints
	config.CompactionInterval = 0 // the cluster is the caller's
	p.store, p.destroy, err = factory.Create(*config.ForResource(schema.GroupResource{Resource: "games"}),
		func() runtime.Object { return new(game) }, func() runtime.Object { return new(gameList) }, resource)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	if err := p.createCached(ctx); err != nil {
		return nil, errors.Join(err, p.close(context.WithoutCancel(ctx)))
	}
	return p, nil
}

// close deletes the keys of the run.
func (p *peer) close(ctx context.Context) error {
	p.destroy()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := p.client.Delete(ctx, p.prefix+"/", clientv3.WithPrefix())
	return errors.Join(err, p.client.Close())
}

func writerKey(i int) string { return fmt.Sprintf("%s/writers/game-%07d", resource, i) }
func recordKey(i int) string { return fmt.Sprintf("%s/records/game-%07d", resource, i) }

// createCached creates the objects of the writers, and reads what the store returns for them.
func (p *peer) createCached(ctx context.Context) error {
	if err := p.put(ctx, p.options.writers, writerKey); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for i := range p.options.writers {
		current := new(game)
		if err := p.store.Get(ctx, writerKey(i), storage.GetOptions{}, current); err != nil {
			return err
		}
		p.cached = append(p.cached, current)
	}
	return nil
}

// maxTxnOps is etcd's default limit of the operations of a transaction.
const maxTxnOps = 128

// put writes the objects as the store would, many in a transaction.
func (p *peer) put(ctx context.Context, count int, keyOf func(int) string) error {
	var ops []clientv3.Op
	for i := range count {
		value, err := p.newValue(path.Base(keyOf(i)))
		if err != nil {
			return err
		}
		ops = append(ops, clientv3.OpPut(p.prefix+keyOf(i), value))
		if len(ops) < maxTxnOps && i < count-1 {
			continue
		}
		if err := p.commit(ctx, ops); err != nil {
			return err
		}
		ops = ops[:0]
	}
	return nil
}

func (p *peer) commit(ctx context.Context, ops []clientv3.Op) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := p.client.Txn(ctx).Then(ops...).Commit()
	return err
}

// newValue returns an encoded object of the size of the options.
func (p *peer) newValue(name string) (string, error) {
	g := &game{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Game"},
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.Now()}, Generation: 1,
	}
	empty, err := runtime.Encode(jsonCodec{}, g)
	if err != nil {
		return "", err
	}
	g.Text = strings.Repeat("x", p.options.bytes-len(empty))
	value, err := runtime.Encode(jsonCodec{}, g)
	return string(value), err
}
