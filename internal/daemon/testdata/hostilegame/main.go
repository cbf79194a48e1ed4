// Command hostilegame is a game that tries what a game must not be able to do, and logs the
// result of each attempt: hostilegame API-PORT ETCD-PORT PATH...
package main

import (
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	host := gateway()
	api := "https://" + net.JoinHostPort(host, os.Args[1])
	for _, attempt := range [][3]string{
		{"healthz", "GET", "/healthz"}, {"list", "GET", "/v1/runtimes"}, {"watch", "GET", "/v1/watch"}, {"metrics", "GET", "/metrics"},
		{"stop", "POST", "/v1/runtimes/victim/stop"}, {"token", "POST", "/v1/tokens"}, {"secrets", "GET", "/v1/secrets"},
	} {
		fmt.Println(attempt[0]+":", request(attempt[1], api+attempt[2]))
	}
	for _, at := range []string{net.JoinHostPort(host, os.Args[2]), net.JoinHostPort("127.0.0.1", os.Args[2])} {
		_, err := net.DialTimeout("tcp", at, time.Second)
		fmt.Println("etcd:", err != nil)
	}
	for _, path := range os.Args[3:] {
		_, err := os.Stat(path)
		fmt.Println("absent:", os.IsNotExist(err))
	}
	fmt.Println("read-only:", os.WriteFile("/written", nil, 0o600) != nil)
	fmt.Println("unprivileged:", os.Getuid() != 0)
	fmt.Println("complete")
	time.Sleep(time.Hour)
}

// gateway returns the address of the host in the network of the container: that of the default
// route.
func gateway() string {
	routes, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(routes)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[1] == "00000000" {
			raw, _ := hex.DecodeString(fields[2])
			address := make(net.IP, 4)
			binary.BigEndian.PutUint32(address, binary.LittleEndian.Uint32(raw))
			return address.String()
		}
	}
	return "no default route"
}

// request returns the status of the response.
func request(method, url string) string {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	r, err := http.NewRequest(method, url, http.NoBody)
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Rtmanager-Forwarded", "local/before")
	r.Header.Set("Rtmanager-Forwarded-Identity", `{"subject":"user:root","groups":["group:rtmanager:admins"]}`)
	r.Header.Set("Rtmanager-Actor", "root")
	response, err := client.Do(r)
	if err != nil {
		return err.Error()
	}
	return response.Status
}
