#pragma once

#include <map>
#include <string>

#include "study/run_study.hpp"
#include "study/study_file.hpp"

/// Whether the data of a study are still those that it began with.
namespace probedarts::study {

/// Compares the files of each data set (names, lengths and content) with what was noted when the
/// study began, and notes those not yet seen. A set above 1 GiB is read once: from then on it
/// counts as the same while names, lengths and times of change are.
/// \throws UserError when one differs.
/// Cost: a look at every file; reading up to 1 GiB of each set, of a larger one everything once.
void require_same_data(const Study& study, const StudyFolder& folder);

/// Looks again while the study runs. Cheap: names, lengths and times of change are compared with
/// the last look, and only where those differ the content with what `require_same_data` noted.
class DataWatch {
 public:
  /// \param folder  of a study whose data have been noted.
  explicit DataWatch(const StudyFolder& folder);

  /// \param data  a data set of the study, as its file names it.
  /// \throws UserError when it changed since the study began, or is gone.
  /// Cost: one look at every file, left out while looking would take more than 1 % of the time.
  void require_same(const std::string& data);

 private:
  struct Seen {
    std::string stamp;
    double looked = 0.0;   ///< when
    double seconds = 0.0;  ///< that it took
  };
  StudyFolder folder_;
  std::map<std::string, Seen> seen_;
};

}  // namespace probedarts::study
