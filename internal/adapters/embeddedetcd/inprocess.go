package embeddedetcd

import (
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"
)

// InProcess returns a client that calls the server without a network. closeAndWait closes
// the client and waits for its calls in the server, which could otherwise read a closed database: that
// terminates the process.
func InProcess(server *etcdserver.EtcdServer) (client *clientv3.Client, closeAndWait func()) {
	g := newGate()
	client = newInProcess(server, g)
	return client, func() {
		_ = client.Close() // always returns "context canceled"
		g.close()
	}
}

// newInProcess returns an in-process client whose calls pass the gate.
func newInProcess(server *etcdserver.EtcdServer, g *gate) *clientv3.Client {
	client := v3client.New(server)
	client.KV = clientv3.NewKVFromKVClient(adapter.KvServerToKvClient(gatedKV{v3rpc.NewQuotaKVServer(server), g}), client)
	client.Watcher = clientv3.NewWatchFromWatchClient(adapter.WatchServerToWatchClient(gatedWatch{v3rpc.NewWatchServer(server), g}), client)
	maintenance := gatedMaintenance{v3rpc.NewMaintenanceServer(server, nil), g}
	client.Maintenance = clientv3.NewMaintenanceFromMaintenanceClient(adapter.MaintenanceServerToMaintenanceClient(maintenance), client)
	return client
}
