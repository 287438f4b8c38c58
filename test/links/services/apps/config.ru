# SPDX-License-Identifier: Apache-2.0
# A Rack application that makes its calls in the thread that runs it: by turns
# on connections kept per thread and on new ones.
require "net/http"

LEAVES = ENV.fetch("LEAVES").split(",")

def ask(number, path, headers)
  host, port = LEAVES[number % LEAVES.size].split(":")
  return Net::HTTP.start(host, port.to_i, nil) { |http| http.get(path, headers).body } if number.odd?
  kept = (Thread.current[:kept] ||= Net::HTTP.start(host, port.to_i, nil))
  kept.get(path, headers).body
end

run(lambda do |env|
  _, _, _, calls, wait, leaf_time = env["PATH_INFO"].split("/")
  said = Array.new(calls.to_i) do |n|
    sleep(wait.to_i / 1000.0)
    ask(n, "/leaf/#{leaf_time}", { "X-Truth-Id" => "#{env["HTTP_X_TRUTH_ID"]}.#{n}" })
  end
  [200, { "Content-Type" => "text/plain" }, [said.join(",")]]
end)
