#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <unistd.h>

/// A small run folder in the format of docs/run-folder.md, written without a search: one node, four
/// layers.
namespace probedarts::testing {

inline nlohmann::json sample_layer(const char* name, const char* role,
                                   const char* primitive = nullptr) {
  nlohmann::json layer = {{"name", name},         {"role", role},         {"cell", nullptr},
                          {"cell_kind", nullptr}, {"edge", nullptr},      {"from", nullptr},
                          {"to", nullptr},        {"primitive", nullptr}, {"position", nullptr},
                          {"shape", {8, 8, 1, 1}}};
  if (primitive != nullptr) {
    layer.update({{"cell", 0},
                  {"cell_kind", "normal"},
                  {"edge", 1},
                  {"from", 1},
                  {"to", 2},
                  {"primitive", primitive},
                  {"position", 0}});
  }
  return layer;
}

inline nlohmann::json sample_head() {
  return {{"format", "probedarts-run"},
          {"format_version", 1},
          {"kind", "search"},
          {"name", "sample"},
          {"created", "2026-01-05T08:30:00Z"},
          {"version", "0.1.0"},
          {"commit", "0123abc"},
          {"libtorch", "1.13.1"},
          {"machine",
           {{"cpu", "Example CPU"}, {"cores", 2}, {"memory_gib", 23.5}, {"os", "Linux 6.1"}}},
          {"threads", 2},
          {"executor", "composed"},
          {"dtype", "float32"},
          {"seed", 7},
          {"config",
           {{"optimizer", "adas"},
            {"lr", 0.175},
            {"epochs", 50},
            {"cells", 1},
            {"preset", "pathology"}}},
          {"data",
           {{"path", "data/tiles"},
            {"fingerprint", "00112233445566778899aabbccddeeff"},
            {"labels", "single"},
            {"classes", {"tumor", "stroma"}},
            {"images", {{"train", 1517}, {"valid", 349}}}}},
          {"parameters", 1131858},
          {"layers",
           {sample_layer("stem.0.weight", "stem"),
            sample_layer("cells.0._ops.1._ops.6.op.1.weight", "depthwise", "dil_conv_3x3"),
            sample_layer("cells.0._ops.1._ops.6.op.2.weight", "pointwise", "dil_conv_3x3"),
            sample_layer("cells.0._ops.1._ops.7.op.2.weight", "pointwise", "dil_conv_5x5")}}};
}

/// `free_share` is what the line says of kept edges without parameters; the rates of the layers
/// differ after epoch 0.
inline nlohmann::json sample_epoch(int epoch, double free_share = 0.5) {
  const nlohmann::json row = {0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0.1};
  const nlohmann::json signals = {{"parameter_free_share", free_share},
                                  {"skip_share", 0.0},
                                  {"pool_share", free_share},
                                  {"entropy", 2.07},
                                  {"margin", 0.01}};
  const auto gene = [](const char* primitive, int from) {
    return nlohmann::json::array({primitive, from});
  };
  const nlohmann::json cell = {
      {"genes", nlohmann::json::array({gene("max_pool_3x3", 0), gene("dil_conv_3x3", 1)})},
      {"concat", nlohmann::json::array({2})}};
  const double late = epoch == 0 ? 0.175 : 0.125;
  const nlohmann::json ranks = {0.25, 0.0, 0.0, 0.1234567};
  return {{"epoch", epoch},
          {"train", {{"loss", 1.02}, {"error", 0.25}, {"images", 758}}},
          {"valid", {{"loss", 1.05}, {"error", 0.375}, {"images", 759}}},
          {"lr", {{"schedule", 0.175}, {"layers", {0.175, late, late, late}}}},
          {"alpha_softmax", {{"normal", {row, row}}, {"reduce", {row, row}}}},
          {"probe",
           {{"stable_rank", ranks},
            {"stable_rank_in", ranks},
            {"stable_rank_out", ranks},
            {"rank_in", ranks},
            {"rank_out", ranks},
            {"condition_in", ranks},
            {"condition_out", ranks},
            {"failed", nlohmann::json::array()}}},
          {"collapse", {{"normal", signals}, {"reduce", signals}}},
          {"genotype", {{"normal", cell}, {"reduce", cell}}},
          {"genotype_text",
           "Genotype(normal=[('max_pool_3x3', 0), ('dil_conv_3x3', 1)], normal_concat=range(2, 3), "
           "reduce=[('max_pool_3x3', 0), ('dil_conv_3x3', 1)], reduce_concat=range(2, 3))"},
          {"seconds", {{"total", 31.25}, {"search", 28.0}, {"valid", 2.5}, {"probe", 0.1}}}};
}

/// The same as a training: its network in run.json, no architecture in its epochs.
inline nlohmann::json sample_train_head() {
  nlohmann::json head = sample_head();
  const nlohmann::json epoch = sample_epoch(0);
  head["kind"] = "train";
  head["model"] = {{"network", {{"name", "cells"}, {"genotype", epoch["genotype"]}}}};
  return head;
}

inline nlohmann::json sample_train_epoch(int number) {
  nlohmann::json epoch = sample_epoch(number);
  for (const char* key : {"alpha_softmax", "collapse", "genotype", "genotype_text"}) {
    epoch.erase(key);
  }
  epoch["seconds"] = {{"total", 31.25}, {"train", 28.5}, {"valid", 2.5}, {"probe", 0.1}};
  return epoch;
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string json_lines(const std::vector<nlohmann::json>& lines) {
  std::string text;
  for (const auto& line : lines) {
    text += line.dump() + "\n";
  }
  return text;
}

/// Writes run.json and epochs.jsonl into `folder`, which is made.
inline void write_run(const std::filesystem::path& folder, const nlohmann::json& head,
                      const std::vector<nlohmann::json>& epochs) {
  std::filesystem::create_directories(folder);
  write_text(folder / "run.json", head.dump(1));
  write_text(folder / "epochs.jsonl", json_lines(epochs));
}

}  // namespace probedarts::testing
