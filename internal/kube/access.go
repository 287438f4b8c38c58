// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
)

// Access is how the API server is reached.
type Access struct {
	Server string // URL

	CA         []byte // PEM; empty: the system's authorities
	Cert, Key  []byte // PEM of the client, if it has one
	ServerName string // that the certificate has to name; "": the URL's host
	Insecure   bool   // accept any certificate

	Token     string // bearer token
	TokenFile string // file of one, read again as it is renewed
}

// accountDir is where a pod finds its service account (Kubernetes, "Accessing
// the API from a Pod").
const accountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// ErrNoCluster says that this process does not run in a pod with a service account.
var ErrNoCluster = errors.New("not in a pod with a service account")

// InCluster is the access that a pod has. The error is ErrNoCluster if this is none.
func InCluster() (Access, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	tokenFile := filepath.Join(accountDir, "token")
	if _, err := os.Stat(tokenFile); host == "" || port == "" || err != nil {
		return Access{}, ErrNoCluster
	}
	ca, err := os.ReadFile(filepath.Join(accountDir, "ca.crt"))
	if err != nil {
		return Access{}, fmt.Errorf("service account: %w", err)
	}
	return Access{Server: "https://" + net.JoinHostPort(host, port), CA: ca, TokenFile: tokenFile}, nil
}

// kubeconfig is the part of a kubeconfig file that is understood.
type kubeconfig struct {
	CurrentContext string `yaml:"current-context"`
	Contexts       []struct {
		Name    string `yaml:"name"`
		Context struct {
			Cluster string `yaml:"cluster"`
			User    string `yaml:"user"`
		} `yaml:"context"`
	} `yaml:"contexts"`
	Clusters []struct {
		Name    string  `yaml:"name"`
		Cluster cluster `yaml:"cluster"`
	} `yaml:"clusters"`
	Users []struct {
		Name string `yaml:"name"`
		User user   `yaml:"user"`
	} `yaml:"users"`
}

type cluster struct {
	Server     string `yaml:"server"`
	CAFile     string `yaml:"certificate-authority"`
	CAData     string `yaml:"certificate-authority-data"`
	ServerName string `yaml:"tls-server-name"`
	Insecure   bool   `yaml:"insecure-skip-tls-verify"`
}

type user struct {
	CertFile  string `yaml:"client-certificate"`
	CertData  string `yaml:"client-certificate-data"`
	KeyFile   string `yaml:"client-key"`
	KeyData   string `yaml:"client-key-data"`
	Token     string `yaml:"token"`
	TokenFile string `yaml:"tokenFile"`
	Exec      any    `yaml:"exec"`
	Provider  any    `yaml:"auth-provider"`
}

// FromKubeconfig is the access of the current context of a kubeconfig file.
// Credentials that a program would have to be run for are an error.
func FromKubeconfig(file string) (Access, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return Access{}, fmt.Errorf("kubeconfig: %w", err)
	}
	var config kubeconfig
	if err := yaml.Unmarshal(data, &config); err != nil {
		return Access{}, fmt.Errorf("kubeconfig %s: not valid YAML", file) // the library's error quotes what may be a secret
	}
	c, u, err := config.current()
	if err != nil {
		return Access{}, fmt.Errorf("kubeconfig %s: %w", file, err)
	}
	if u.Exec != nil || u.Provider != nil {
		return Access{}, fmt.Errorf("kubeconfig %s: credentials by a program are not supported; use a token or a client certificate", file)
	}
	a := Access{Server: c.Server, ServerName: c.ServerName, Insecure: c.Insecure, Token: u.Token, TokenFile: beside(file, u.TokenFile)}
	for _, part := range []struct {
		to         *[]byte
		data, path string
	}{{&a.CA, c.CAData, c.CAFile}, {&a.Cert, u.CertData, u.CertFile}, {&a.Key, u.KeyData, u.KeyFile}} {
		if *part.to, err = inlineOrFile(part.data, beside(file, part.path)); err != nil {
			return Access{}, fmt.Errorf("kubeconfig %s: %w", file, err)
		}
	}
	return a, nil
}

// File is one that a kubeconfig names.
type File struct {
	Name   string
	Key    string // what names it
	Secret bool   // who can read it can be taken for the agent
}

// FilesOf returns the files that the current context of a kubeconfig file is made
// of, besides that file. Of one that FromKubeconfig refuses there may be none.
func FilesOf(kubeconfigFile string) []File {
	data, err := os.ReadFile(kubeconfigFile)
	if err != nil {
		return nil
	}
	var config kubeconfig
	if yaml.Unmarshal(data, &config) != nil {
		return nil
	}
	c, u, err := config.current()
	if err != nil {
		return nil
	}
	var files []File
	for _, f := range []File{
		{c.CAFile, "certificate-authority", false}, {u.CertFile, "client-certificate", false},
		{u.KeyFile, "client-key", true}, {u.TokenFile, "tokenFile", true},
	} {
		if f.Name != "" {
			f.Name = beside(kubeconfigFile, f.Name)
			files = append(files, f)
		}
	}
	return files
}

func (k *kubeconfig) current() (cluster, user, error) {
	for _, ctx := range k.Contexts {
		if ctx.Name != k.CurrentContext {
			continue
		}
		var u user
		for _, known := range k.Users {
			if known.Name == ctx.Context.User {
				u = known.User
			}
		}
		for _, known := range k.Clusters {
			if known.Name == ctx.Context.Cluster && known.Cluster.Server != "" {
				return known.Cluster, u, nil
			}
		}
	}
	return cluster{}, user{}, fmt.Errorf("the current context %q names no cluster", k.CurrentContext)
}

// beside resolves a path as kubectl does: relative to the file that names it.
func beside(file, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

func inlineOrFile(data, path string) ([]byte, error) {
	switch {
	case data != "":
		return base64.StdEncoding.DecodeString(strings.TrimSpace(data))
	case path != "":
		return os.ReadFile(path)
	}
	return nil, nil
}

func (a Access) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: a.ServerName, InsecureSkipVerify: a.Insecure}
	if len(a.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(a.CA) {
			return nil, errors.New("API server's certificate authority: no certificate in it")
		}
	}
	if len(a.Cert) > 0 {
		cert, err := tls.X509KeyPair(a.Cert, a.Key)
		if err != nil {
			return nil, fmt.Errorf("client certificate for the API server: %w", err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config, nil
}

// tokenAge is how long a token file's content is used before it is read again:
// the kubelet renews it long before the old one ends.
const tokenAge = time.Minute

// tokenSource returns what gives the token of each request, nil for none.
func (a Access) tokenSource() func() (string, error) {
	if a.TokenFile == "" {
		if a.Token == "" {
			return nil
		}
		return func() (string, error) { return a.Token, nil }
	}
	var mu sync.Mutex
	var token string
	var read time.Time
	return func() (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if token != "" && time.Since(read) < tokenAge {
			return token, nil
		}
		data, err := os.ReadFile(a.TokenFile)
		if err != nil {
			return "", fmt.Errorf("token for the API server: %w", err)
		}
		token, read = strings.TrimSpace(string(data)), time.Now()
		return token, nil
	}
}
