// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority issues certificates for one test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // CA certificate in PEM
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.file, _ = a.issue(t, "ca", a.cert)
	return a
}

// issue writes NAME.crt and NAME.key; the first certificate signs itself.
func (a *authority) issue(t *testing.T, name string, cert *x509.Certificate) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if a.key == nil {
		a.key = key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")
	writePEM(t, certFile, "CERTIFICATE", der)
	writePEM(t, keyFile, "PRIVATE KEY", keyDER)
	return certFile, keyFile
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func leaf(serial int64, usage x509.ExtKeyUsage) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "leaf"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
}

// serverTLS requires client certificates of a.
func (a *authority) serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(a.issue(t, "server", leaf(2, x509.ExtKeyUsageServerAuth)))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(a.file)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatal("read CA", err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		NextProtos: []string{"h2", "http/1.1"},
	}
}

func TestOTLPMutualTLS(t *testing.T) {
	// The HTTP server logs the handshakes that are meant to fail.
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	eachProtocol(t, func(t *testing.T, protocol string) {
		a := newAuthority(t)
		s := startSink(t, protocol, "", a.serverTLS(t), &sink{})
		cert, key := a.issue(t, "client", leaf(3, x509.ExtKeyUsageClientAuth))
		good := OTLPConfig{Protocol: protocol, Endpoint: s.url, CAFile: a.file, CertFile: cert, KeyFile: key}
		if err := exportOne(t, good); err != nil {
			t.Errorf("export: %v", err)
		}
		skip := good
		skip.CAFile, skip.InsecureSkipVerify = "", true
		if err := exportOne(t, skip); err != nil {
			t.Errorf("export without verification: %v", err)
		}
		noCA := good
		noCA.CAFile = ""
		checkUntrusted(t, "unknown authority", exportOne(t, noCA))
		noCert := good
		noCert.CertFile, noCert.KeyFile = "", ""
		checkUntrusted(t, "no client certificate", exportOne(t, noCert))
		if n := len(s.requests()); n != 2 {
			t.Errorf("%d requests arrived, want 2", n)
		}
	})
}

func TestOTLPMutualTLSByEnvironment(t *testing.T) {
	eachProtocol(t, func(t *testing.T, protocol string) {
		a := newAuthority(t)
		s := startSink(t, protocol, "", a.serverTLS(t), &sink{})
		cert, key := a.issue(t, "client", leaf(3, x509.ExtKeyUsageClientAuth))
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.url)
		t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
		t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", a.file)
		t.Setenv("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", cert)
		t.Setenv("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", key)
		if err := exportOne(t, OTLPConfig{}); err != nil {
			t.Errorf("export: %v", err)
		}
	})
}

func exportOne(t *testing.T, cfg OTLPConfig) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return newOTLP(t, cfg).Export(ctx, []*Span{exampleSpan(1)})
}

// checkUntrusted expects a failure to connect, which may be mended at the
// other end and is therefore retried.
func checkUntrusted(t *testing.T, name string, err error) {
	t.Helper()
	var retry *RetryableError
	if !errors.As(err, &retry) {
		t.Errorf("%s: error = %v", name, err)
	}
}
