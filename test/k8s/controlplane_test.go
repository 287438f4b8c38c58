// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// Tokens of the static token file.
const (
	adminToken = "admin-token"
	agentToken = "CANARY-of-the-agent" // as the service account of deploy/daemonset.yaml
)

// controlPlane is etcd and a real API server with RBAC.
type controlPlane struct {
	t         *testing.T
	dir       string
	etcdPort  string
	port      string
	apiserver *suite.Process
	http      *http.Client
}

// newControlPlane starts both; they end with the test.
func newControlPlane(t *testing.T) *controlPlane {
	t.Helper()
	c := &controlPlane{t: t, dir: t.TempDir(), etcdPort: freePort(t), port: freePort(t)}
	c.http = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(c.http.CloseIdleConnections)
	c.write("tokens.csv", adminToken+`,admin,1,"system:masters"`+"\n"+
		agentToken+`,system:serviceaccount:tracer-agent:tracer-agent,2,"system:serviceaccounts,system:authenticated"`+"\n")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c.write("sa.key", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	start(t, "etcd", exec.Command("etcd", "--data-dir", c.dir+"/etcd", "--unsafe-no-fsync",
		"--listen-client-urls", "http://127.0.0.1:"+c.etcdPort, "--advertise-client-urls", "http://127.0.0.1:"+c.etcdPort,
		"--listen-peer-urls", "http://127.0.0.1:"+freePort(t)))
	c.startAPI()
	c.apply("deploy/daemonset.yaml")
	return c
}

func (c *controlPlane) write(name, text string) string {
	c.t.Helper()
	file := filepath.Join(c.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return file
}

func (c *controlPlane) startAPI() {
	c.t.Helper()
	key := c.dir + "/sa.key"
	c.apiserver = start(c.t, "kube-apiserver", exec.Command(os.Getenv("K8S_BIN")+"/kube-apiserver",
		"--etcd-servers=http://127.0.0.1:"+c.etcdPort, "--cert-dir="+c.dir+"/certs", "--bind-address=127.0.0.1", "--advertise-address=10.0.0.1",
		"--secure-port="+c.port, "--token-auth-file="+c.dir+"/tokens.csv", "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged=true", "--disable-admission-plugins=ServiceAccount", "--service-account-issuer=https://issuer.example",
		"--service-account-key-file="+key, "--service-account-signing-key-file="+key))
	suite.Poll(c.t, time.Minute, "the API server is ready", func() bool {
		if !c.apiserver.Alive() {
			c.t.Fatalf("kube-apiserver ended: %v\n%s", c.apiserver.Err(), suite.Tail(c.apiserver.Out.String(), 3000))
		}
		status, _ := c.try(http.MethodGet, "/readyz", nil, "")
		return status == http.StatusOK
	})
}

// stopAPI makes the API server unreachable. What it knows stays in etcd.
func (c *controlPlane) stopAPI() {
	c.apiserver.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.apiserver.Exited():
	case <-time.After(5 * time.Second):
		c.apiserver.Kill()
	}
	c.http.CloseIdleConnections()
}

// kubeconfig writes one for the agent, with the API server's certificate.
func (c *controlPlane) kubeconfig(token string) string { return c.kubeconfigAt(token, c.port) }

func (c *controlPlane) kubeconfigAt(token, port string) string {
	name := fmt.Sprintf("kubeconfig-%x-%s", sha256.Sum256([]byte(token)), port) // no output may hold the token
	return c.write(name, fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: x,
contexts: [{name: x, context: {cluster: c, user: u}}], users: [{name: u, user: {token: %s}}],
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%s", certificate-authority: %s}}]}`, token, port, c.dir+"/certs/apiserver.crt"))
}

// apply applies a file of the repository with kubectl.
func (c *controlPlane) apply(file string, flags ...string) string {
	c.t.Helper()
	out, err := c.kubectl(append([]string{"apply", "-f", filepath.Join("../..", file)}, flags...)...)
	if err != nil {
		c.t.Fatalf("kubectl apply -f %s: %v\n%s", file, err, out)
	}
	return out
}

func (c *controlPlane) kubectl(args ...string) (string, error) {
	cmd := exec.Command("kubectl", append([]string{"--kubeconfig", c.kubeconfig(adminToken)}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *controlPlane) try(method, path string, body any, contentType string) (int, []byte) {
	var data []byte
	if body != nil {
		data, _ = json.Marshal(body) // of maps and structs of the tests
	}
	req, err := http.NewRequest(method, "https://127.0.0.1:"+c.port+path, bytes.NewReader(data))
	if err != nil {
		return 0, []byte(err.Error())
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	if contentType == "" {
		contentType = "application/json"
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return resp.StatusCode, answer
}

// do sends a request that must succeed and returns the object.
func (c *controlPlane) do(method, path string, body any, contentType string) map[string]any {
	c.t.Helper()
	status, answer := c.try(method, path, body, contentType)
	if status/100 != 2 {
		c.t.Fatalf("%s %s: %d %s", method, path, status, suite.Tail(string(answer), 500))
	}
	var object map[string]any
	if err := json.Unmarshal(answer, &object); err != nil {
		c.t.Fatal(err)
	}
	return object
}

const mergePatch = "application/merge-patch+json"

type object = map[string]any

// namespace makes a namespace with labels.
func (c *controlPlane) namespace(name string, labels map[string]string) {
	c.t.Helper()
	c.do(http.MethodPost, "/api/v1/namespaces", object{"metadata": object{"name": name, "labels": labels}}, "")
}

// label sets a label of a namespace; a nil value removes it.
func (c *controlPlane) label(namespace, key string, value any) {
	c.t.Helper()
	c.do(http.MethodPatch, "/api/v1/namespaces/"+namespace, object{"metadata": object{"labels": object{key: value}}}, mergePatch)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()[strings.LastIndexByte(l.Addr().String(), ':')+1:]
}
